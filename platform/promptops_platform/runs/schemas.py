"""Runs on the wire."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field

from promptops_platform.db.tables import RunRow, RunStepRow

RunStatus = Literal["running", "ok", "error"]


class Run(BaseModel):
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

    @classmethod
    def of(cls, row: RunRow) -> Self:
        return cls(**{name: getattr(row, name) for name in Run.model_fields})


class RunStep(BaseModel):
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

    @classmethod
    def of(cls, row: RunStepRow) -> Self:
        return cls(
            name=row.name,
            type=row.type,
            output=row.output,
            state=row.state,
            start=row.started_at,
            duration=row.duration_ms / 1000,
            attempts=row.attempts,
            error=row.error,
            provider=row.provider,
            model=row.model,
            prompt_tokens=row.prompt_tokens,
            output_tokens=row.output_tokens,
        )


class RunDetail(Run):
    """A run with what came out and how it went, step by step."""

    output: str
    finished_at: datetime | None
    steps: list[RunStep]

    @classmethod
    def with_steps(cls, row: RunRow, steps: list[RunStepRow]) -> Self:
        return cls(
            **Run.of(row).model_dump(),
            output=row.output,
            finished_at=row.finished_at,
            steps=[RunStep.of(step) for step in steps],
        )


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
