"""Runs over time: what stands out is never left out for what does not."""

from datetime import UTC, datetime, timedelta

import pytest

from harness.platform import RunningPlatform, new_key
from harness.runs import logged, model_call, new_run
from promptops_platform.runlog.outliers import MOST_OUTLIERS, MOST_READ, MOST_SHOWN, chart_of
from promptops_platform.runlog.search import Point

START = datetime(2026, 3, 14, tzinfo=UTC)


def point(number: int, latency_ms: int = 100, status: str = "ok") -> Point:
    at = START - timedelta(seconds=number)
    return Point(f"r{number}", at, latency_ms, status, "workflow", "k")


def test_few_runs_are_all_shown() -> None:
    chart = chart_of([point(0), point(1, 900), point(2, status="error")])
    assert [shown.id for shown in chart.points] == ["r0", "r1", "r2"]
    assert (chart.runs, chart.errors, chart.p99_ms, chart.is_complete) == (3, 1, 900, True)
    assert chart_of([]) == ([], 0, 0, None, True)


def test_of_many_runs_those_that_stand_out_are_shown_and_a_sample() -> None:
    points = [point(number) for number in range(MOST_READ + 1)]
    points[7] = point(7, status="error")
    points[4000] = point(4000, latency_ms=60_000)
    chart = chart_of(points)
    shown = {kept.id for kept in chart.points}
    assert {"r7", "r4000"} <= shown
    assert len(shown) == len(chart.points) == MOST_SHOWN
    assert (chart.runs, chart.is_complete) == (MOST_READ, False)
    # Evenly over the time.
    half = sum(int(kept.id[1:]) < MOST_READ / 2 for kept in chart.points)
    assert half == pytest.approx(MOST_SHOWN / 2, abs=10)


def test_a_time_of_failures_still_shows_what_is_normal() -> None:
    points = [point(number, status="error" if number % 2 else "ok") for number in range(4000)]
    chart = chart_of(points)
    failed = sum(kept.status == "error" for kept in chart.points)
    assert failed == MOST_OUTLIERS
    assert len(chart.points) == MOST_SHOWN
    assert chart.errors == 2000


async def test_the_chart_takes_the_filters_of_the_list(platform: RunningPlatform) -> None:
    key = new_key()
    fine = await logged(platform, new_run(ref_key=key))
    failed = await logged(platform, new_run(ref_key=key), model_call(error="refused"))
    await logged(platform, new_run(ref_key=new_key()))
    answer = await platform.http.get("/api/runs/points", params={"key": key})
    chart = answer.json()["data"]
    assert {shown["id"] for shown in chart["points"]} == {fine, failed}
    assert (chart["runs"], chart["errors"], chart["is_complete"]) == (2, 1, True)
    answer = await platform.http.get("/api/runs/points", params={"key": key, "status": "error"})
    assert [shown["id"] for shown in answer.json()["data"]["points"]] == [failed]
