"""Statistics by version and state of runs, against their list, on both databases."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from harness.runs import new_run, run_steps
from promptops_flows.protocol.engine_client import RunFinished, StepFinished
from promptops_platform.clock import FakeClock
from promptops_platform.runlog.states import RunState

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
PERIOD = {"since": "2026-03-01T00:00:00Z", "until": "2026-03-15T00:00:00Z"}
RUNS = 24
KEYS = ("greet", "sort")
STATES: tuple[RunState, ...] = ("completed", "completed", "failed", "completed", "cancelled")


def step(provider: str, at: datetime) -> StepFinished:
    return StepFinished(
        index=1,
        name="call",
        type="model",
        state="Completed",
        started_at=at.isoformat(),
        duration_ms=1,
        attempts=1,
        provider=provider,
        model="m",
        output="x",
    )


@pytest_asyncio.fixture(scope="module")
async def own(database_kind: DatabaseKind, postgres: Postgres) -> AsyncIterator[RunningPlatform]:
    """A platform with runs of two workflows in three versions, and one without a version."""
    clock = FakeClock(START)
    settings = await new_settings(database_kind, postgres, new_data_folder())
    async with running_platform(settings, clock) as platform:
        for number in range(RUNS):
            version = (None, "1", "2", "3")[number % 4]
            run = new_run(source="workflow", ref_key=KEYS[number % 2], version=version)
            state = STATES[number % 5]
            status, error = ("ok", None) if state == "completed" else ("error", "no")
            end = RunFinished(status, error=error, state=state)  # type: ignore[arg-type]
            await run_steps(platform, run, step(("mock", "other")[number % 3 > 0], START), end=end)
            clock.advance(timedelta(hours=7, milliseconds=10 * number))
        yield platform


async def stats(platform: RunningPlatform, **query: Any) -> dict[str, Any]:
    answer = await platform.http.get("/api/runs/stats", params={**PERIOD, **query})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def listed(platform: RunningPlatform, **query: Any) -> list[dict[str, Any]]:
    answer = await platform.http.get("/api/runs", params={"limit": 200, **PERIOD, **query})
    assert answer.status_code == 200, answer.text
    runs: list[dict[str, Any]] = answer.json()["data"]
    return runs


@pytest.mark.parametrize(
    "filters",
    [
        {"state": "completed"},
        {"state": "failed"},
        {"state": "timed_out"},
        {"state": "completed", "provider": "mock"},
        {"key": "greet", "state": "completed"},
        {"key": "greet", "state": "cancelled"},
        {"key": "sort", "version": "3"},
        {"key": "sort", "version": "3", "state": "failed", "provider": "other"},
        {"key": "greet", "version": "9"},
        {"source": "agent", "state": "completed"},
    ],
)
@pytest.mark.parametrize("group_by", [None, "model", "provider", "key", "version", "state"])
async def test_filters_of_the_list_and_of_the_figures_agree(
    own: RunningPlatform, filters: dict[str, str], group_by: str | None
) -> None:
    runs = await listed(own, **filters)
    answer = await stats(own, **filters, **({"group_by": group_by} if group_by else {}))
    assert answer["total"] == len(runs)
    assert answer["error"] == sum(run["status"] == "error" for run in runs)
    assert answer["calls"] == len(runs)
    assert sum(count["count"] for count in answer["by_provider"]) == len(runs)
    if group_by:
        figures = [series["figures"] for series in answer["series"]]
        assert sum(figure["total"] for figure in figures) == len(runs)
        assert all(figure["total"] > 0 for figure in figures)


@pytest.mark.parametrize("filters", [{}, {"key": "sort"}])
async def test_each_state_is_a_group(own: RunningPlatform, filters: dict[str, str]) -> None:
    answer = await stats(own, group_by="state", interval="hour", **filters)
    counts = {series["group"]: series["figures"]["total"] for series in answer["series"]}
    states = [run["state"] for run in await listed(own, **filters)]
    assert counts == {state: states.count(state) for state in states}
    for series in answer["series"]:
        latency, points = series["figures"]["latency_ms"], series["points"]
        assert latency["p99"] is not None
        assert sum(point["total"] for point in points) == series["figures"]["total"]
        assert all(point["error"] == 0 for point in points) == (series["group"] == "completed")


async def test_each_version_of_a_definition_is_a_group(own: RunningPlatform) -> None:
    answer = await stats(own, group_by="version")
    runs = await listed(own)
    for series in answer["series"]:
        definition = series["definition"]
        members = [
            run
            for run in runs
            if (run["ref_key"], run["version"]) == (definition["key"], definition["version"])
        ]
        assert series["figures"]["total"] == len(members) > 0
        assert series["prompt"] is None
    groups = {series["group"] for series in answer["series"]}
    assert groups == {"greet", "greet@2", "sort@1", "sort@3"}
    only = await stats(own, group_by="version", key="sort", points=False)
    assert {series["group"] for series in only["series"]} == {"sort@1", "sort@3"}


async def test_a_period_is_compared_by_state(own: RunningPlatform) -> None:
    query = {"since": "2026-03-05T00:00:00Z", "compare_days": "4", "group_by": "state"}
    previous = (await stats(own, **query))["previous"]
    before = {"since": "2026-03-01T00:00:00Z", "until": "2026-03-11T00:00:00Z"}
    assert previous["total"] == len(await listed(own, **before))
    assert sum(series["figures"]["total"] for series in previous["series"]) == previous["total"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"version": "1"}, "version: has no effect without key"),
        ({"prompt": "p", "state": "failed"}, "state: statistics of prompts"),
        ({"group_by": "prompt", "state": "failed"}, "state: statistics of prompts"),
        ({"prompt": "p", "group_by": "version"}, "state: statistics of prompts"),
        ({"state": "odd"}, "state"),
    ],
)
async def test_what_no_sum_tells_is_refused(
    own: RunningPlatform, query: dict[str, str], message: str
) -> None:
    answer = await own.http.get("/api/runs/stats", params=query)
    assert answer.status_code == 400
    assert message in answer.json()["error"]
