"""Runs on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field

from promptops_platform.db.run_tables import RunRow, RunStepRow
from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example
from promptops_platform.runs.prices import NANOS_A_DOLLAR, Price, PriceTable

RunStatus = Literal["running", "ok", "error"]

# Of a run that failed: the description leaves out what is null.
EXAMPLE_STEP: dict[str, Any] = {
    "name": "call",
    "type": "model",
    "output": "",
    "state": "Failed",
    "start": "2026-03-14T09:26:53.589793Z",
    "duration": 0.012,
    "attempts": 1,
    "error": "the provider refused the request",
    "provider": "mock",
    "model": "mock-fail-refused",
    "prompt_tokens": 12,
    "output_tokens": 0,
    "input": "Write a welcome for Ada.",
    "cached_tokens": 0,
    "usage_estimated": True,
    "cost_usd": 0.0,
    "stop_reason": "end",
    "notes": [],
    "price": {"version": "2026-11-25", "model": "*", "input": 0.0, "output": 0.0},
}
EXAMPLE_RUN: dict[str, Any] = {
    "id": "5e4f30219b8a7c6d",
    "source": "workflow",
    "ref_key": "welcome",
    "provider": "mock",
    "model": "mock-fail-refused",
    "prompt_tokens": 12,
    "output_tokens": 0,
    "latency_ms": 56,
    "status": "error",
    "error": "step 1 (call): the provider refused the request",
    "created_at": "2026-03-14T09:26:53.589793Z",
    "workspace_id": "default",
    "flow_run_id": "0b9f3a52-4c6e-4f0e-8d2b-0a4c1f6c2f11",
    "flow_run_url": "http://127.0.0.1:4200/runs/flow-run/0b9f3a52-4c6e-4f0e-8d2b-0a4c1f6c2f11",
    "user": "ada",
    "cached_tokens": 0,
    "usage_estimated": True,
    "cost_usd": 0.0,
    "stop_reason": "end",
    "first_token_ms": 41,
}
Cost = Annotated[
    float | None,
    Field(description="Dollars, exact to a billionth; null where a price or usage isn't known."),
]


class Run(Resource):
    """An entry of the run log; `latency_ms` is from the start to the end, in milliseconds, and
    `first_token_ms` to the first piece of an answer that was streamed. `prompt_tokens` includes
    `cached_tokens`; with `usage_estimated` the provider did not report some of them."""

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

    @classmethod
    def listed(cls, row: RunRow) -> Self:
        """An entry as lists have it."""
        return cls.of(row, user=row.user_name, cost_usd=_dollars(row.cost_nanos))


class RunStep(Resource):
    """A finished step; `duration` is in seconds, `attempts` counts from 1."""

    model_config = example(**EXAMPLE_STEP)

    name: str
    type: str
    output: str | None
    state: str = Field(description="Name of the task run's state in Prefect.")
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
        description="What a model call was charged by, in dollars a million tokens."
    )
    stop_reason: str | None
    notes: list[str] = Field(
        description="How the model was asked otherwise than the definition says."
    )


class RunDetail(Run):
    """A run with what went in, what came out, and how it went, step by step. What the settings
    keep out of the log is null, or an empty text, or redacted."""

    model_config = example(
        **EXAMPLE_RUN,
        output="",
        finished_at="2026-03-14T09:26:53.589793Z",
        steps=[EXAMPLE_STEP],
        inputs={"variables": {"who": "Ada"}, "version": "1"},
        price_version="2026-11-25",
    )

    output: str
    finished_at: datetime | None
    steps: list[RunStep]
    inputs: dict[str, Any] | None
    price_version: str | None = Field(description="The table of prices that was in force.")

    @classmethod
    def with_steps(cls, row: RunRow, rows: list[RunStepRow]) -> Self:
        steps = [
            RunStep.of(
                step,
                start=step.started_at,
                duration=step.duration_ms / 1000,
                cost_usd=_dollars(step.cost_nanos),
                notes=step.notes or [],
            )
            for step in rows
        ]
        cost = _dollars(row.cost_nanos)
        return cls.of(row, steps=steps, user=row.user_name, cost_usd=cost)


def _dollars(nanos: int | None) -> float | None:
    return None if nanos is None else nanos / NANOS_A_DOLLAR


class ProviderCount(BaseModel):
    model_config = example(provider="mock", count=7)

    provider: str
    count: int


class LatencyPercentiles(BaseModel):
    """Milliseconds, each at most 5 % off; null without runs."""

    model_config = example(p50=57.31, p95=92.3, p99=92.3)

    p50: float | None
    p95: float | None
    p99: float | None


EXAMPLE_FIGURES: dict[str, Any] = {
    "total": 8,
    "ok": 7,
    "error": 1,
    "prompt_tokens": 96,
    "output_tokens": 272,
    "calls": 8,
    "cached_tokens": 0,
    "usage_estimated": 8,
    "cost_usd": 0.0,
    "cost_unknown": 0,
    "latency_ms": {"p50": 57.31, "p95": 92.3, "p99": 92.3},
}
EXAMPLE_POINT: dict[str, Any] = {"start": "2026-03-14T00:00:00Z", **EXAMPLE_FIGURES}


class RunFigures(BaseModel):
    """Sums over ended runs. A run counts under the provider and model that it ended with, tokens
    and cost under those that were called."""

    model_config = example(**EXAMPLE_FIGURES)

    total: int
    ok: int
    error: int
    prompt_tokens: int
    output_tokens: int
    calls: int = Field(description="Calls of models.")
    cached_tokens: int
    usage_estimated: int = Field(description="Runs of which some usage is an estimate.")
    cost_usd: float = Field(description="Dollars, as far as prices are known.")
    cost_unknown: int = Field(description="Runs whose whole cost isn't known.")
    latency_ms: LatencyPercentiles


class StatsPoint(RunFigures):
    """The runs that began in the hour or day from `start` on."""

    model_config = example(**EXAMPLE_POINT)

    start: datetime


class StatsSeries(BaseModel):
    """Points in their order, those without runs left out. `group` is null for all runs, and for
    all groups together that are beyond the 20 largest."""

    model_config = example(group="mock", points=[EXAMPLE_POINT])

    group: str | None
    points: list[StatsPoint]


class RunStats(RunFigures):
    """Totals over the ended runs; the mean latency is in milliseconds. They cover whole hours or
    days (`interval`) from `since` on and before `until`, of runs that began then; null for all."""

    model_config = example(
        **EXAMPLE_FIGURES,
        avg_latency_ms=62,
        by_provider=[{"provider": "mock", "count": 8}],
        since="2026-03-14T00:00:00Z",
        until="2026-03-15T00:00:00Z",
        interval="day",
        series=[{"group": "mock", "points": [EXAMPLE_POINT]}],
    )

    avg_latency_ms: int
    by_provider: list[ProviderCount]
    since: datetime | None
    until: datetime | None
    interval: Literal["hour", "day"] | None
    series: list[StatsSeries]


class Prices(BaseModel):
    """The table of prices in force, in dollars a million tokens."""

    model_config = example(
        version="2026-11-25",
        prices=[
            {
                "provider": "openai",
                "model": "gpt-5-mini*",
                "input": 0.25,
                "cached_input": 0.025,
                "output": 2.0,
                "min_prompt_tokens": 0,
                "max_prompt_tokens": 272_000,
                "valid_from": "2025-08-07",
                "source": "https://developers.openai.com/api/docs/pricing",
            }
        ],
    )

    version: str
    prices: list[Price]

    @classmethod
    def of(cls, table: PriceTable) -> Self:
        return cls(version=table.version, prices=table.prices)
