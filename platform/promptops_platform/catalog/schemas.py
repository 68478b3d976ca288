"""Responses of the list of prompts by key, and of the uses of a prompt."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from promptops_platform.catalog.repository import State
from promptops_platform.http.examples import example

HOURS = [758, 759] * 12
VARIANTS = [
    {"name": "A", "version": "v3", "weight": 9000},
    {"name": "B", "version": "v4", "weight": 1000},
]


class KeyEnvironment(BaseModel):
    """The prompt of this key in one environment."""

    model_config = example(
        id="0f3c5d7e9a3f2a1c",
        env="prod",
        state="ramping",
        version="v4",
        draft_version="v4",
        updated_at="2026-03-14T09:26:53.589793Z",
        updated_by="ada",
        variants=VARIANTS,
    )

    id: str
    env: str
    state: State
    version: str | None = Field(description="The published version; null before the first publish.")
    draft_version: str = Field(description="The label of the working copy.")
    updated_at: datetime
    updated_by: str
    variants: list[dict[str, Any]] | None = Field(
        description="Variants of its enabled rollout, weights in basis points; null without one."
    )


class PromptKey(BaseModel):
    """A key with its prompts in all environments. Name, category, tags and model are those of the
    prompt that was changed last; of the states, `ramping` counts before `draft` (a publish would
    change what is served), `published` and `never`."""

    model_config = example(
        key="support.reply",
        workspace_id="default",
        name="Support reply",
        category="mail",
        tags="mail,short",
        model="gpt-4o-mini",
        state="ramping",
        updated_at="2026-03-14T09:26:53.589793Z",
        updated_by="ada",
        environments=[KeyEnvironment.model_config["json_schema_extra"]["examples"][0]],  # type: ignore[index]
    )

    key: str
    workspace_id: str
    name: str
    category: str
    tags: str = Field(description="Comma-separated.")
    model: str
    state: State
    updated_at: datetime
    updated_by: str
    environments: list[KeyEnvironment] = Field(description="By name.")


class FacetValue(BaseModel):
    """How many keys have this value and match all other filters."""

    model_config = example(value="prod", count=22)

    value: str
    count: int


def _counts(*pairs: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"value": value, "count": count} for value, count in pairs]


class PromptFacets(BaseModel):
    """The 100 most frequent values of each filter of the list."""

    model_config = example(
        state=_counts(("ramping", 3), ("draft", 4), ("published", 15), ("never", 1)),
        env=_counts(("dev", 23), ("prod", 22)),
        client=_counts(("mailer", 4)),
        tag=_counts(("mail", 4)),
        category=_counts(("service", 9)),
        model=_counts(("gpt-4o-mini", 13)),
        author=_counts(("ada", 20)),
    )

    state: list[FacetValue]
    env: list[FacetValue]
    client: list[FacetValue] = Field(description="Connected programs, by the keys that they cache.")
    tag: list[FacetValue]
    category: list[FacetValue]
    model: list[FacetValue]
    author: list[FacetValue]


class KeyPrograms(BaseModel):
    """The programs that watch a key: how many have it in memory, how many of these have applied its
    newest change, and how many report nothing."""

    model_config = example(key="support.reply", connected=42, current=41, silent=0)

    key: str
    connected: int
    current: int
    silent: int


class KeyCalls(BaseModel):
    """The runs of the last day that used a key's prompt."""

    model_config = example(key="support.reply", calls=18204, errors=3, cost_usd=41.2, hours=HOURS)

    key: str
    calls: int = Field(description="Calls of models.")
    errors: int = Field(description="Runs that failed.")
    cost_usd: float = Field(description="In US dollars, for calls with a known price.")
    hours: list[int] = Field(description="The calls of each of the 24 hours, oldest first.")


class LastDay(BaseModel):
    """The current hour, in UTC, and the 23 before it; keys without runs are left out."""

    model_config = example(
        since="2026-03-13T10:00:00Z",
        keys=[KeyCalls.model_config["json_schema_extra"]["examples"][0]],  # type: ignore[index]
    )

    since: datetime
    keys: list[KeyCalls]


class AgentUse(BaseModel):
    """An agent; a `version` of null means whatever is served."""

    model_config = example(id="1a2b3c4d5e6f7081", key="weather", name="Weather", version="v3")

    id: str
    key: str
    name: str
    version: str | None


class WorkflowUse(BaseModel):
    """A workflow, and the positions of the steps that use the prompt, counted from 1."""

    model_config = example(id="2b3c4d5e6f708192", key="triage", name="Triage", steps=[3])

    id: str
    key: str
    name: str
    steps: list[int]


class ProgramUse(BaseModel):
    """The connections of one program with one version of the SDK."""

    model_config = example(
        app="mailer",
        client_type="python",
        version="0.2.0",
        connected=12,
        current=11,
        silent=0,
        revision=4710,
    )

    app: str
    client_type: str
    version: str = Field(description="Version of the SDK; empty if it reports none.")
    connected: int = Field(description="How many cache the prompt.")
    current: int = Field(description="How many of these have applied its newest change.")
    silent: int = Field(description="How many watch its environment and report nothing.")
    revision: int | None = Field(description="The lowest revision that one of them has applied.")


class PromptUsage(BaseModel):
    """What a publish of the prompt would reach."""

    model_config = example(
        agents=[AgentUse.model_config["json_schema_extra"]["examples"][0]],  # type: ignore[index]
        workflows=[WorkflowUse.model_config["json_schema_extra"]["examples"][0]],  # type: ignore[index]
        programs=[ProgramUse.model_config["json_schema_extra"]["examples"][0]],  # type: ignore[index]
    )

    agents: list[AgentUse]
    workflows: list[WorkflowUse]
    programs: list[ProgramUse] = Field(description="Largest first.")


class StepUse(BaseModel):
    """A workflow, and the positions of the steps that run the agent or the workflow, counted from
    1; a `version` of null means whatever is served."""

    model_config = example(
        id="2b3c4d5e6f708192", key="triage", name="Triage", steps=[3], version="4"
    )

    id: str
    key: str
    name: str
    steps: list[int]
    version: str | None


class CallerUse(BaseModel):
    """A user or an API key with the number of runs that it has started in the last 7 days."""

    model_config = example(name="mailer", runs=1204)

    name: str
    runs: int


class DefinitionUsage(BaseModel):
    """Who a publish or a deletion of an agent or a workflow affects."""

    model_config = example(
        workflows=[StepUse.model_config["json_schema_extra"]["examples"][0]],  # type: ignore[index]
        callers=[CallerUse.model_config["json_schema_extra"]["examples"][0]],  # type: ignore[index]
    )

    workflows: list[StepUse]
    callers: list[CallerUse] = Field(description="Those with the most runs first.")
