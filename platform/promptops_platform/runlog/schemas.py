"""Responses with runs."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example
from promptops_platform.runlog.latency import milliseconds_between
from promptops_platform.runlog.prices import dollars
from promptops_platform.runlog.run_examples import EXAMPLE_RUN, EXAMPLE_STEP
from promptops_platform.runlog.states import RunState, RunStatus
from promptops_platform.runlog.tables import RunRow, RunStepRow
from promptops_platform.runlog.trace import MapItemCounts

Cost = Annotated[
    float | None,
    Field(description="Dollars, exact to a billionth; null where a price or usage isn't known."),
]


class StartedBy(BaseModel):
    """What has started a run. `kind` is `schedule` or `trigger`."""

    model_config = example(kind="schedule", id="5e4f30219b8a7c6d", key="nightly-report")

    kind: str
    id: str
    key: str


class UsedPromptVersion(BaseModel):
    """A version of a prompt in an environment; `draft` is the working copy."""

    model_config = example(key="support/reply", env="prod", version="v3")

    key: str
    env: str
    version: str


class UsedPrompt(UsedPromptVersion):
    """A version with the variant of the rollout that selected it; null without a rollout."""

    model_config = example(key="support/reply", env="prod", version="v3", variant="A")

    variant: str | None


class Run(Resource):
    """An entry of the run log. Times are in milliseconds: `latency_ms` from the start to the end,
    `first_token_ms` from the start to the first piece of a streamed response, `waited_ms` until the
    run left the queue, and `working_ms` from then on. `prompt_tokens` includes `cached_tokens`;
    with `usage_estimated` the provider did not report some of them."""

    model_config = example(**EXAMPLE_RUN)

    id: str
    source: str
    ref_key: str
    provider: str
    model: str
    prompt_tokens: int
    output_tokens: int
    latency_ms: int
    status: RunStatus
    error: str
    created_at: datetime
    workspace_id: str
    flow_run_id: str | None
    flow_run_url: str | None
    user: str
    cached_tokens: int
    usage_estimated: bool
    cost_usd: Cost
    stop_reason: str | None
    first_token_ms: int | None
    prompt: UsedPromptVersion | None = Field(description="The registry prompt that it used.")
    state: RunState = Field(description="The status in more detail.")
    version: str | None = Field(description="The definition's version; null without one.")
    retry_of: str | None = Field(description="The id of the run that this one retries.")
    waited_ms: int | None = Field(description="Null while the run is queued.")
    working_ms: int = Field(description="0 until the run has ended.")
    attempt: int = Field(
        description="Counts from 1; grows when the platform or the engine ends during the run "
        "and the run continues."
    )
    is_detached: bool = Field(description="Whether it was started without waiting for its end.")
    cancelled_by: str | None
    started_by: StartedBy | None = Field(
        description="The schedule or trigger that started it; null if a person did."
    )
    pool: str | None = Field(
        description="The work pool whose workers execute it; null for the platform's own engine."
    )

    @classmethod
    def listed(cls, row: RunRow) -> Self:
        """Return an entry as lists contain it."""
        return cls.of(row, **_derived(row))


class RunStep(Resource):
    """A finished step; `duration` is in seconds, `attempts` counts from 1."""

    model_config = example(**EXAMPLE_STEP)

    name: str
    type: str
    output: str | None
    state: str = Field(description="The name of the task run's state in Prefect.")
    start: datetime
    duration: float
    attempts: int
    error: str | None
    provider: str
    model: str
    prompt_tokens: int
    output_tokens: int
    input: str | None
    cached_tokens: int
    usage_estimated: bool
    cost_usd: Cost
    price: dict[str, Any] | None = Field(
        description="The price of a model call, in dollars per million tokens."
    )
    stop_reason: str | None
    notes: list[str] = Field(
        description="How the request to the model differed from the definition."
    )
    version: str | None = Field(
        description="The version of its definition, which may be that of an inner run."
    )
    failures: list[str] = Field(description="Why each attempt failed, in order.")
    items: MapItemCounts | None = Field(description="The items of a map.")
    reused: bool = Field(
        description="Whether its output was taken over from the run that this one retries."
    )
    prompts: list[UsedPrompt] = Field(
        description="The registry prompts that it used, including those of inner runs."
    )
    step: int = Field(
        description="Its number in the run, counted from 1, as in the run's events. Those of inner "
        "runs come after the run's own."
    )
    outer: int | None = Field(
        description="For a step of an inner run: the number of the run's own step that ran it, "
        "from which a retry can begin."
    )

    @classmethod
    def of_row(cls, row: RunStepRow) -> Self:
        """A step of the log."""
        return cls.of(
            row,
            start=row.started_at,
            duration=row.duration_ms / 1000,
            cost_usd=dollars(row.cost_nanos),
            notes=row.notes or [],
            failures=row.failures or [],
            prompts=row.prompts or [],
            step=row.position,
        )


class RunDetail(Run):
    """A run with its inputs, its output and its steps. Texts that the settings exclude from the log
    are null, empty or redacted."""

    model_config = example(
        **EXAMPLE_RUN,
        output="",
        finished_at="2026-03-14T09:26:53.589793Z",
        steps=[EXAMPLE_STEP],
        prompts=EXAMPLE_STEP["prompts"],
        inputs={"variables": {"who": "Ada"}, "version": "1"},
        price_version="2026-11-25",
    )

    output: str
    finished_at: datetime | None
    steps: list[RunStep]
    prompts: list[UsedPrompt] = Field(
        description="All registry prompts that the run and its steps used, each once."
    )
    inputs: dict[str, Any] | None
    price_version: str | None = Field(description="The price table that was in effect.")

    @classmethod
    def with_steps(cls, row: RunRow, rows: list[RunStepRow]) -> Self:
        steps = [RunStep.of_row(step) for step in rows]
        prompts = [*_own_prompts(row), *(prompt for step in steps for prompt in step.prompts)]
        each_once = list({prompt.model_dump_json(): prompt for prompt in prompts}.values())
        return cls.of(row, steps=steps, prompts=each_once, **_derived(row))


def _own_prompts(row: RunRow) -> list[UsedPrompt]:
    prompt = _prompt(row)
    return [UsedPrompt(**prompt.model_dump(), variant=row.prompt_variant)] if prompt else []


def _waited_ms(row: RunRow) -> int | None:
    if row.began_at is not None:
        return milliseconds_between(row.created_at, row.began_at)
    return None if row.finished_at is None else row.latency_ms


def _derived(row: RunRow) -> dict[str, Any]:
    waited = _waited_ms(row)
    return {
        "user": row.user_name,
        "cost_usd": dollars(row.cost_nanos),
        "prompt": _prompt(row),
        "started_by": _started_by(row),
        "waited_ms": waited,
        # The times come from clocks of different processes.
        "working_ms": 0 if row.finished_at is None else max(0, row.latency_ms - (waited or 0)),
    }


def _started_by(row: RunRow) -> StartedBy | None:
    if row.origin_kind is None:
        return None
    return StartedBy(kind=row.origin_kind, id=row.origin_id or "", key=row.origin_key or "")


def _prompt(row: RunRow) -> UsedPromptVersion | None:
    if row.prompt_key is None:
        return None
    return UsedPromptVersion(
        key=row.prompt_key, env=row.prompt_env or "", version=row.prompt_version or ""
    )
