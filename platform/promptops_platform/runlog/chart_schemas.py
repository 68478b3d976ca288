"""The response with the chart of runs."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example
from promptops_platform.runlog.outliers import Chart
from promptops_platform.runlog.states import RunStatus

EXAMPLE_RUN_POINT: dict[str, Any] = {
    "id": "5e4f30219b8a7c6d",
    "created_at": "2026-03-14T09:26:53.589793Z",
    "latency_ms": 56,
    "status": "error",
    "source": "workflow",
    "key": "welcome",
}


class RunPoint(Resource):
    """A run as a point of a chart. `latency_ms` is 0 while it is in progress."""

    model_config = example(**EXAMPLE_RUN_POINT)

    id: str
    created_at: datetime
    latency_ms: int
    status: RunStatus
    source: str
    key: str


class RunChart(BaseModel):
    """Runs over time, newest first: up to 1,000 that failed or took longer than 99 % of the runs,
    and a sample of the others. `runs`, `errors` and `p99_ms` describe the newest 5,000 runs. If
    `is_complete` is false, there are more."""

    model_config = example(
        points=[EXAMPLE_RUN_POINT], runs=1, errors=1, p99_ms=56, is_complete=True
    )

    points: list[RunPoint]
    runs: int
    errors: int
    p99_ms: int | None = Field(description="Null without runs.")
    is_complete: bool

    @classmethod
    def of(cls, chart: Chart) -> Self:
        points = [RunPoint.model_validate(point._asdict()) for point in chart.points]
        return cls.model_validate({**chart._asdict(), "points": points})
