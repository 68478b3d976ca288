"""The trace of a run, as it is returned to who started it."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from promptops_flows.protocol.engine_client import StepFinished
from promptops_platform.http.examples import example
from promptops_platform.runlog.step_costs import step_usage

EXAMPLE_TRACE: dict[str, Any] = {
    "name": "greet",
    "type": "render",
    "output": "Write a welcome for Ada.",
    "state": "Completed",
    "start": "2026-03-14T09:26:53.589793Z",
    "duration": 0.012,
    "attempts": 1,
    "notes": [],
    "prompt_tokens": 0,
    "output_tokens": 0,
    "failures": [],
}


class MapItemCounts(BaseModel):
    """Counts of a map's items; one that failed may have a default as its output."""

    model_config = example(total=3, completed=2, failed=1)

    total: int
    completed: int
    failed: int


class StepTrace(BaseModel):
    """A finished step; `duration` is in seconds, `attempts` counts from 1."""

    model_config = example(**EXAMPLE_TRACE)

    name: str
    type: str
    output: str | None
    state: str = Field(description="The name of the task run's state in Prefect.")
    start: datetime
    duration: float
    attempts: int
    notes: list[str] = Field(
        description="How the request to the model differed from the definition, what a branch "
        "took, or why a step was skipped."
    )
    provider: str | None = Field(
        default=None, description="The provider that answered, or that was called last."
    )
    model: str | None = None
    prompt_tokens: int = Field(description="The sum over all calls of the step.")
    output_tokens: int
    stop_reason: str | None = None
    error: str | None = None
    failures: list[str] = Field(description="Why each attempt failed, in order.")
    items: MapItemCounts | None = Field(default=None, description="The items of a map.")

    @classmethod
    def of(cls, step: StepFinished, **more: Any) -> Self:
        usage = step_usage(step)
        return cls(
            provider=step.provider,
            model=step.model,
            prompt_tokens=usage.prompt_tokens,
            output_tokens=usage.output_tokens,
            stop_reason=step.stop_reason,
            error=step.error,
            failures=list(step.failures),
            items=None if step.items is None else MapItemCounts(**asdict(step.items)),
            name=step.name,
            type=step.type,
            output=step.output,
            state=step.state,
            start=datetime.fromisoformat(step.started_at),
            duration=step.duration_ms / 1000,
            attempts=step.attempts,
            notes=list(step.notes),
            **more,
        )
