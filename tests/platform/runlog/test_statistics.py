"""Statistics against a plain reading of the runs, and who sees what of them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import func, select

from harness.people import join, new_session, new_user, new_workspace
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from harness.runs import logged, model_call, new_run, open_run, record
from promptops_flows.protocol.engine_client import RunFinished, StepFinished
from promptops_platform.clock import FakeClock
from promptops_platform.runlog.tables import RunRollupRow
from promptops_providers.protocol import Usage

START = datetime(2026, 3, 1, 22, 15, tzinfo=UTC)
MODELS = (("openai", "gpt-5"), ("claude", "claude-sonnet-4-5"), ("elsewhere", "m"))
RUNS = 60


@pytest_asyncio.fixture(scope="module")
async def own(database_kind: DatabaseKind, postgres: Postgres) -> AsyncIterator[RunningPlatform]:
    """A platform with runs of three days, one every 70 minutes."""
    clock = FakeClock(START)
    settings = await new_settings(database_kind, postgres, new_data_folder())
    async with running_platform(settings, clock) as platform:
        for number in range(RUNS):
            source = ("playground", "agent")[number % 2]
            run = new_run(ref_key=f"key-{number % 4}", source=source, started_at=clock.now())
            clock.advance(timedelta(milliseconds=100 + 37 * number))
            provider, model = MODELS[number % 3]
            usage = Usage(1000 + number, 10, estimated=number % 5 == 0, cached_tokens=number)
            failed = "no" if number % 6 == 0 else None
            call = model_call(provider=provider, model=model, usage=usage, error=failed)
            await record(platform, run, call)
            clock.advance(timedelta(minutes=70))
        yield platform


async def stats(platform: RunningPlatform, **query: Any) -> dict[str, Any]:
    answer = await platform.http.get("/api/runs/stats", params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def runs(platform: RunningPlatform, **query: Any) -> list[dict[str, Any]]:
    answer = await platform.http.get("/api/runs", params={"limit": 200, **query})
    listed: list[dict[str, Any]] = answer.json()["data"]
    return listed


def read_plainly(listed: list[dict[str, Any]]) -> dict[str, Any]:
    costs = [run["cost_usd"] for run in listed]
    return {
        "total": len(listed),
        "ok": sum(run["status"] == "ok" for run in listed),
        "error": sum(run["status"] == "error" for run in listed),
        "prompt_tokens": sum(run["prompt_tokens"] for run in listed),
        "cached_tokens": sum(run["cached_tokens"] for run in listed),
        "output_tokens": sum(run["output_tokens"] for run in listed),
        "usage_estimated": sum(run["usage_estimated"] for run in listed),
        "cost_usd": round(sum(cost for cost in costs if cost is not None), 9),
        "cost_unknown": costs.count(None),
        "calls": len(listed),
    }


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"key": "key-1"},
        {"provider": "openai"},
        {"model": "claude-sonnet-4-5"},
        {"source": "agent"},
        {"key": "key-2", "provider": "claude"},
        {"workspace": "default", "key": "key-3", "source": "agent"},
        {"key": "nowhere"},
    ],
)
async def test_sums_are_those_of_the_runs(own: RunningPlatform, filters: dict[str, str]) -> None:
    listed = await runs(own, **filters)
    expected = read_plainly(listed)
    all_of_them = await stats(own, **filters)
    assert expected.items() <= all_of_them.items()
    assert (all_of_them["since"], all_of_them["interval"], all_of_them["series"]) == (
        None,
        None,
        [],
    )
    for query in ({"since": "2026-03-01T00:00:00Z"}, {"until": "2026-03-10T00:00:00Z"}):
        assert expected.items() <= (await stats(own, **filters, **query)).items()
    if listed:
        mean = sum(run["latency_ms"] for run in listed) / len(listed)
        assert all_of_them["avg_latency_ms"] == round(mean)
        latencies = sorted(run["latency_ms"] for run in listed)
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
            exact = latencies[max(0, -int(-share * len(latencies) // 1) - 1)]
            assert abs(all_of_them["latency_ms"][name] - exact) <= 0.05 * exact
    else:
        assert all_of_them["latency_ms"] == {"p50": None, "p95": None, "p99": None}


async def test_by_provider_counts_runs(own: RunningPlatform) -> None:
    expected = [
        {"provider": name, "count": RUNS // 3} for name in ("claude", "elsewhere", "openai")
    ]
    assert (await stats(own))["by_provider"] == expected
    (only,) = (await stats(own, provider="claude"))["by_provider"]
    assert only == {"provider": "claude", "count": 20}


async def test_a_period_is_moved_outwards_to_whole_hours_or_days(own: RunningPlatform) -> None:
    day = await stats(own, since="2026-03-02T10:30:00Z", until="2026-03-02T11:30:00+01:00")
    assert (day["since"], day["until"], day["interval"]) == (
        "2026-03-02T00:00:00Z",
        "2026-03-03T00:00:00Z",
        "day",
    )
    listed = await runs(own, since=day["since"], until=day["until"])
    assert read_plainly(listed).items() <= day.items()
    hour = await stats(
        own, since="2026-03-02T10:30:00Z", until="2026-03-02T14:00:00Z", interval="hour"
    )
    assert (hour["since"], hour["until"]) == ("2026-03-02T10:00:00Z", "2026-03-02T14:00:00Z")
    listed = await runs(own, since=hour["since"], until=hour["until"])
    assert read_plainly(listed).items() <= hour.items()
    assert sum(point["total"] for point in hour["series"][0]["points"]) == len(listed)


@pytest.mark.parametrize("group_by", ["provider", "model", "key"])
@pytest.mark.parametrize("interval", ["hour", "day"])
async def test_series_add_up_to_the_totals(
    own: RunningPlatform, group_by: str, interval: str
) -> None:
    query = {"since": "2026-03-01T00:00:00Z", "until": "2026-03-06T00:00:00Z"}
    sums = await stats(own, **query, group_by=group_by, interval=interval)
    column = "ref_key" if group_by == "key" else group_by
    listed = await runs(own, **query)
    names = {run[column] for run in listed}
    assert {series["group"] for series in sums["series"]} == names
    for series in sums["series"]:
        members = [run for run in listed if run[column] == series["group"]]
        for point in series["points"]:
            start = datetime.fromisoformat(point["start"])
            length = timedelta(hours=1) if interval == "hour" else timedelta(days=1)
            within = [
                run
                for run in members
                if start <= datetime.fromisoformat(run["created_at"]) < start + length
            ]
            assert read_plainly(within).items() <= point.items()
        assert sum(point["total"] for point in series["points"]) == len(members)


async def test_without_a_since_a_series_covers_the_last_days(own: RunningPlatform) -> None:
    sums = await stats(own, group_by="provider")
    until = datetime.fromisoformat(sums["until"])
    assert until - datetime.fromisoformat(sums["since"]) <= timedelta(days=31)
    assert sums["interval"] == "day"
    assert sums["total"] == RUNS


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"since": "2026-03-03T00:00:00Z", "until": "2026-03-02T00:00:00Z"}, "is not before until"),
        ({"interval": "hour", "since": "2025-01-01T00:00:00Z"}, "covers at most 14 days"),
        ({"interval": "day", "since": "2020-01-01T00:00:00Z"}, "covers at most 400 days"),
        ({"interval": "week"}, "interval"),
        ({"group_by": "user"}, "group_by"),
    ],
)
async def test_wrong_questions_are_a_400(
    own: RunningPlatform, query: dict[str, str], message: str
) -> None:
    answer = await own.http.get("/api/runs/stats", params=query)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


async def test_beyond_the_largest_groups_there_is_one_of_all_others(
    platform: RunningPlatform,
) -> None:
    workspace = await new_workspace(platform)
    for number in range(22):
        for _ in range(2 if number < 20 else 1):
            run = new_run(ref_key=f"key-{number:02}", workspace_id=workspace)
            await logged(platform, run)
    series = (await stats(platform, workspace=workspace, group_by="key"))["series"]
    assert [group["group"] for group in series] == [f"key-{number:02}" for number in range(20)] + [
        None
    ]
    assert sum(point["total"] for point in series[-1]["points"]) == 2


async def test_tokens_count_under_the_model_that_was_called(platform: RunningPlatform) -> None:
    """And the run under the one that it ended with."""
    workspace = await new_workspace(platform)
    run = new_run(source="workflow", workspace_id=workspace)
    await open_run(platform, run)
    async with platform.platform.database.write() as transaction:
        for index, provider in enumerate(("mock", "ollama"), 1):
            step = StepFinished(
                index=index,
                name="call",
                type="model",
                state="Completed",
                started_at="2026-11-01T00:00:00+00:00",
                duration_ms=1,
                attempts=1,
                provider=provider,
                model="m",
                usage=Usage(10 * index, 1, estimated=False),
            )
            await platform.platform.runlog.log.add_step(transaction, run.id, step)
    async with platform.platform.database.write() as transaction:
        await platform.platform.runlog.log.close(transaction, run.id, RunFinished("ok", output="x"))
    for provider, total, tokens in (("mock", 0, 10), ("ollama", 1, 20)):
        sums = await stats(platform, workspace=workspace, provider=provider)
        assert (sums["total"], sums["calls"], sums["prompt_tokens"]) == (total, 1, tokens)
    everything = await stats(platform, workspace=workspace)
    assert everything["by_provider"] == [{"provider": "ollama", "count": 1}]
    assert (everything["total"], everything["prompt_tokens"]) == (1, 30)


async def test_what_does_not_exist_for_the_caller_is_not_summed_up(
    platform: RunningPlatform,
) -> None:
    user = await new_user(platform, "viewer")
    token = await new_session(platform, user)
    workspace = await new_workspace(platform, "restricted")
    async with platform.client(token) as client:

        async def seen(query: str = "") -> Any:
            return (await client.get(f"/api/runs/stats{query}")).json()

        before = await seen()
        run = new_run(workspace_id=workspace, ref_key="classified")
        await logged(platform, run, model_call(provider="classified"))
        assert await seen() == before
        assert "classified" not in str(await seen("?group_by=key"))
        assert "not found" in (await seen(f"?workspace={workspace}"))["error"]
        await join(platform, workspace, user, "viewer")
        assert (await seen())["total"] == before["total"] + 1
        assert (await seen(f"?workspace={workspace}"))["total"] == 1


async def test_the_roll_ups_go_with_their_workspace(platform: RunningPlatform) -> None:
    before = await stats(platform)
    workspace = await new_workspace(platform)
    await logged(platform, new_run(workspace_id=workspace))
    assert (await stats(platform))["total"] == before["total"] + 1
    await platform.http.delete(f"/api/workspaces/{workspace}?force=true")
    assert await stats(platform) == before
    async with platform.platform.database.read() as transaction:
        left = select(func.count()).where(RunRollupRow.workspace_id == workspace)
        assert await transaction.session.scalar(left) == 0


async def test_a_workspace_goes_while_its_runs_end(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform)
    ends = [record(platform, new_run(workspace_id=workspace), model_call()) for _ in range(8)]
    deletion = platform.http.delete(f"/api/workspaces/{workspace}?force=true")
    done = await asyncio.gather(*ends[:4], deletion, *ends[4:])
    assert done[4] is not None
    async with platform.platform.database.read() as transaction:
        left = select(func.count()).where(RunRollupRow.workspace_id == workspace)
        assert await transaction.session.scalar(left) == 0
