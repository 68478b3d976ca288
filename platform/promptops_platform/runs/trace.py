"""The trace of a run, as the answer to who started it has it."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from promptops_flows.engine_client import StepFinished
from promptops_platform.http.examples import example

EXAMPLE_TRACE: dict[str, Any] = {
    "name": "greet",
    "type": "render",
    "output": "Write a welcome for Ada.",
    "state": "Completed",
    "start": "2026-03-14T09:26:53.589793Z",
    "duration": 0.012,
    "attempts": 1,
    "notes": [],
}


class StepTrace(BaseModel):
    """A finished step; `duration` is in seconds, `attempts` counts from 1."""

    model_config = example(**EXAMPLE_TRACE)

    name: str
    type: str
    output: str | None
    state: str = Field(description="Name of the task run's state in Prefect.")
    start: datetime
    duration: float
    attempts: int
    notes: list[str] = Field(
        description="How the model was asked otherwise than the definition says."
    )

    @classmethod
    def of(cls, step: StepFinished) -> Self:
        return cls(
            name=step.name,
            type=step.type,
            output=step.output,
            state=step.state,
            start=datetime.fromisoformat(step.started_at),
            duration=step.duration_ms / 1000,
            attempts=step.attempts,
            notes=list(step.notes),
        )
