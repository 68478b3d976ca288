"""Responses with statistics of runs."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from promptops_platform.http.examples import example
from promptops_platform.runlog.figures import EXAMPLE_FIGURES, RunFigures
from promptops_platform.runlog.schemas import UsedPromptVersion

EXAMPLE_POINT: dict[str, Any] = {"start": "2026-03-14T00:00:00Z", **EXAMPLE_FIGURES}
EXAMPLE_SERIES: dict[str, Any] = {
    "group": "support/reply@v3 (prod)",
    "prompt": {"key": "support/reply", "env": "prod", "version": "v3"},
    "definition": None,
    "figures": EXAMPLE_FIGURES,
    "points": [EXAMPLE_POINT],
}
EXAMPLE_PREVIOUS: dict[str, Any] = {
    **EXAMPLE_FIGURES,
    "avg_latency_ms": 62,
    "since": "2026-03-07T00:00:00Z",
    "until": "2026-03-08T00:00:00Z",
    "series": [EXAMPLE_SERIES],
}


class ProviderCount(BaseModel):
    model_config = example(provider="mock", count=7)

    provider: str
    count: int


class RunDefinition(BaseModel):
    """The version is null for runs without a definition."""

    model_config = example(key="welcome", version="3")

    key: str
    version: str | None


class StatsPoint(RunFigures):
    """The runs that began in the hour or day that starts at `start`."""

    model_config = example(**EXAMPLE_POINT)

    start: datetime


class StatsSeries(BaseModel):
    """Points in order, without those that have no runs, and `figures` over all of them. `group` is
    null for all runs, and for the groups beyond the 20 largest together."""

    model_config = example(**EXAMPLE_SERIES)

    group: str | None
    prompt: UsedPromptVersion | None = Field(
        description="The prompt of a group by `prompt_version`."
    )
    definition: RunDefinition | None = Field(description="The definition of a group by `version`.")
    figures: RunFigures
    points: list[StatsPoint]


class PreviousStats(RunFigures):
    """The same period some days earlier, with the groups of the later one."""

    model_config = example(**EXAMPLE_PREVIOUS)

    avg_latency_ms: int
    since: datetime | None
    until: datetime | None
    series: list[StatsSeries]


class RunStats(RunFigures):
    """Totals over the ended runs; the mean latency is in milliseconds. They cover runs that began
    in whole hours or days (`interval`) from `since` until before `until`; null for all."""

    model_config = example(
        **EXAMPLE_FIGURES,
        avg_latency_ms=62,
        by_provider=[{"provider": "mock", "count": 8}],
        since="2026-03-14T00:00:00Z",
        until="2026-03-15T00:00:00Z",
        interval="day",
        series=[EXAMPLE_SERIES],
        previous=EXAMPLE_PREVIOUS,
    )

    avg_latency_ms: int
    by_provider: list[ProviderCount]
    since: datetime | None
    until: datetime | None
    interval: Literal["hour", "day"] | None
    series: list[StatsSeries]
    previous: PreviousStats | None = Field(
        description="The period `compare_days` earlier; null unless requested."
    )
