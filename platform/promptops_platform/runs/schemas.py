"""Runs on the wire."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field

from promptops_platform.db.tables import RunRow, RunStepRow
from promptops_platform.http.envelope import Resource

RunStatus = Literal["running", "ok", "error"]


class Run(Resource):
    """An entry of the run log; `latency_ms` is from the start to the end, in milliseconds."""

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
    provider: str
    count: int


class RunStats(BaseModel):
    """Totals over the ended runs; the latency is a mean in milliseconds."""

    total: int
    ok: int
    error: int
    prompt_tokens: int
    output_tokens: int
    avg_latency_ms: float
    by_provider: list[ProviderCount]
