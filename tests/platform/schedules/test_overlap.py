"""Times that come while the run before goes, and times that passed while nothing ran."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness.approvals import ASK, approvals, decide, waiting
from harness.detached_runs import ended
from harness.engine import READY_SECONDS, EngineProcess
from harness.platform import RunningPlatform
from harness.prefect_server import PrefectServer
from harness.schedules import (
    delete_schedules,
    deployment,
    flow_run_saying,
    flow_runs,
    missed_since,
    saved_schedule,
    schedule,
    schedule_once,
)
from harness.workflows import running, save_workflow

pytestmark = pytest.mark.trial

__all__ = ["running"]

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
async def ready(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)


async def asking_schedule(platform: RunningPlatform, overlap: str) -> dict[str, Any]:
    """One whose runs go until somebody approves, each second."""
    workflow = await save_workflow(platform, [ASK])
    return await saved_schedule(
        platform, workflow=workflow["key"], overlap=overlap, interval_seconds=1, variables={}
    )


async def first_run(platform: RunningPlatform, made: dict[str, Any]) -> str:
    """The first run of a schedule, once it waits for somebody."""
    now = await schedule_once(platform, made["id"], lambda now: bool(now["last_runs"]))
    run_id = str(now["last_runs"][-1]["id"])
    await waiting(platform, run_id)
    return run_id


async def approve(platform: RunningPlatform, run_id: str) -> None:
    (approval,) = await approvals(platform, run=run_id, state="waiting")
    assert (await decide(platform.http, approval)).status_code == 200


@pytest.fixture(autouse=True)
async def nothing_left(running: RunningPlatform) -> AsyncIterator[None]:
    yield
    await delete_schedules(running)


async def test_skip_leaves_out_times_while_the_run_before_goes(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    made = await asking_schedule(running, "skip")
    first = await first_run(running, made)
    own = await deployment(running, prefect_server, made["id"])
    skipped = await flow_run_saying(prefect_server, own["id"], "Cancelled", "skips such times")
    assert first in skipped["state"]["message"]
    assert len((await schedule(running, made["id"]))["last_runs"]) == 1
    await approve(running, first)
    assert (await ended(running, first))["state"] == "completed"
    now = await schedule_once(running, made["id"], lambda now: len(now["last_runs"]) == 2)
    assert now["last_runs"][0]["scheduled_at"] > skipped["expected_start_time"]


async def test_queue_runs_times_one_after_the_other(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    made = await asking_schedule(running, "queue")
    first = await first_run(running, made)
    own = await deployment(running, prefect_server, made["id"])
    queued = await flow_run_saying(prefect_server, own["id"], "AwaitingConcurrencySlot", first)
    assert len((await schedule(running, made["id"]))["last_runs"]) == 1
    await approve(running, first)
    now = await schedule_once(running, made["id"], lambda now: len(now["last_runs"]) == 2)
    at = datetime.fromisoformat(now["last_runs"][0]["scheduled_at"])
    assert at == datetime.fromisoformat(queued["expected_start_time"]), "it has waited longest"
    assert (await ended(running, first))["state"] == "completed"


async def test_replace_cancels_the_run_before(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    made = await asking_schedule(running, "replace")
    now = await schedule_once(running, made["id"], lambda now: bool(now["last_runs"]))
    first = now["last_runs"][-1]["id"]
    run = await ended(running, first)
    assert run["state"] == "cancelled"
    now = await schedule_once(running, made["id"], lambda now: len(now["last_runs"]) > 1)
    assert now["last_runs"][-1]["id"] == first
    times = [run["scheduled_at"] for run in now["last_runs"]]
    assert sorted(set(times), reverse=True) == times, "a time after the other, each once"


@pytest.mark.parametrize(
    ("catch_up", "hours"),
    [("skip", []), ("one", [1]), ("all", [1, 2, 3])],
    ids=["skip", "one", "all"],
)
async def test_times_that_passed_while_nothing_ran(
    running: RunningPlatform, catch_up: str, hours: list[int]
) -> None:
    made = await saved_schedule(running, interval_seconds=3600, catch_up=catch_up)
    anchor = datetime.now(UTC) - HOUR / 2
    await missed_since(running, made["id"], anchor - 2.5 * HOUR, anchor)
    times = [anchor - (hour - 1) * HOUR for hour in hours]
    now = await schedule_once(
        running,
        made["id"],
        lambda now: [run["state"] for run in now["last_runs"]] == ["completed"] * len(hours),
    )
    runs = {datetime.fromisoformat(run["scheduled_at"]) for run in now["last_runs"]}
    assert runs == set(times)
    await running.platform.deployments.service.reconcile()
    assert len((await schedule(running, made["id"]))["last_runs"]) == len(hours), "once"


@pytest.mark.parametrize(("catch_up", "count"), [("skip", 0), ("one", 1)])
async def test_late_flow_runs_of_prefect_are_left_out(
    running: RunningPlatform, prefect_server: PrefectServer, catch_up: str, count: int
) -> None:
    """Prefect was there, and the platform was not."""
    made = await saved_schedule(running, interval_seconds=3600, catch_up=catch_up)
    now = datetime.now(UTC)
    await missed_since(running, made["id"], now, anchor=now - HOUR / 2)
    own = await deployment(running, prefect_server, made["id"])
    start, end = (now - 3.75 * HOUR).isoformat(), now.isoformat()
    span = {"start_time": start, "end_time": end, "min_runs": 4, "max_runs": 4}
    with prefect_server.client() as client:
        client.post(f"deployments/{own['id']}/schedule", json=span).raise_for_status()
    late = await flow_run_saying(prefect_server, own["id"], "Cancelled", "passed while nothing ran")
    assert late["auto_scheduled"]
    after = await schedule_once(running, made["id"], lambda now: len(now["last_runs"]) == count)
    if count:
        last = flow_runs(prefect_server, own["id"])[-1]["expected_start_time"]
        assert datetime.fromisoformat(after["last_runs"][0]["scheduled_at"]) == (
            datetime.fromisoformat(last)
        )
