"""Runs on the wire."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from promptops_platform.db.tables import RunRow, RunStepRow
from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example

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
}


class Run(Resource):
    """An entry of the run log; `latency_ms` is from the start to the end, in milliseconds."""

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


class RunDetail(Run):
    """A run with what came out and how it went, step by step."""

    model_config = example(
        **EXAMPLE_RUN,
        output="",
        finished_at="2026-03-14T09:26:53.589793Z",
        steps=[EXAMPLE_STEP],
    )

    output: str
    finished_at: datetime | None
    steps: list[RunStep]

    @classmethod
    def with_steps(cls, row: RunRow, rows: list[RunStepRow]) -> Self:
        steps = [
            RunStep.of(step, start=step.started_at, duration=step.duration_ms / 1000)
            for step in rows
        ]
        return cls.of(row, steps=steps)


class ProviderCount(BaseModel):
    model_config = example(provider="mock", count=7)

    provider: str
    count: int


class RunStats(BaseModel):
    """Totals over the ended runs; the latency is a mean in milliseconds."""

    model_config = example(
        total=8,
        ok=7,
        error=1,
        prompt_tokens=96,
        output_tokens=272,
        avg_latency_ms=61.5,
        by_provider=[{"provider": "mock", "count": 8}],
    )

    total: int
    ok: int
    error: int
    prompt_tokens: int
    output_tokens: int
    avg_latency_ms: float
    by_provider: list[ProviderCount]
