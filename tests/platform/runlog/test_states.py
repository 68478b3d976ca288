"""States of runs, waiting and working time, and what the log tells of their steps."""

from collections.abc import AsyncIterator
from datetime import timedelta

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
from harness.runs import detail, logged, model_call, new_run, open_run
from promptops_flows.protocol.engine_client import RunFinished, StepFinished
from promptops_flows.steps.context import ItemCounts
from promptops_platform.clock import FakeClock

CLOCK = FakeClock()
STEP = StepFinished(
    index=1,
    name="each",
    type="map",
    state="Failed",
    started_at="2026-11-01T00:00:00+00:00",
    duration_ms=1,
    attempts=2,
    error="a vendor said: Ada's letter is too long",
    summary="the vendor refused the request",
    failures=("a vendor said: wait, Ada", "a vendor said: Ada's letter is too long"),
    failure_summaries=("the vendor is busy", "the vendor refused the request"),
    items=ItemCounts(total=3, completed=2, failed=1),
    version="7",
    reused=True,
)


@pytest_asyncio.fixture(scope="module")
async def own(database_kind: DatabaseKind, postgres: Postgres) -> AsyncIterator[RunningPlatform]:
    """A platform with a clock of its own."""
    settings = await new_settings(database_kind, postgres, new_data_folder())
    async with running_platform(settings, CLOCK) as platform:
        yield platform


async def begin(platform: RunningPlatform, run_id: str) -> None:
    async with platform.platform.database.write() as transaction:
        await platform.platform.runlog.log.begin(transaction, run_id, CLOCK.now())


async def close(platform: RunningPlatform, run_id: str, end: RunFinished) -> None:
    async with platform.platform.database.write() as transaction:
        await platform.platform.runlog.log.close(transaction, run_id, end)


async def add_step(platform: RunningPlatform, run_id: str, step: StepFinished) -> None:
    async with platform.platform.database.write() as transaction:
        await platform.platform.runlog.log.add_step(transaction, run_id, step)


def times(run: dict[str, object]) -> tuple[object, ...]:
    return run["state"], run["status"], run["waited_ms"], run["working_ms"], run["latency_ms"]


async def test_waiting_and_working_time_are_told_apart(own: RunningPlatform) -> None:
    run = new_run(source="workflow", version="3", state="queued", is_detached=True, retry_of="r")
    await open_run(own, run)
    queued = await detail(own, run.id)
    assert times(queued) == ("queued", "running", None, 0, 0)
    assert (queued["version"], queued["retry_of"], queued["is_detached"]) == ("3", "r", True)
    assert (queued["attempt"], queued["cancelled_by"]) == (1, None)
    CLOCK.advance(timedelta(milliseconds=250))
    await begin(own, run.id)
    await begin(own, run.id)
    assert times(await detail(own, run.id)) == ("running", "running", 250, 0, 0)
    CLOCK.advance(timedelta(milliseconds=1000))
    await close(own, run.id, RunFinished("ok", output="x"))
    assert times(await detail(own, run.id)) == ("completed", "ok", 250, 1000, 1250)
    (listed, *_) = (await own.http.get("/api/runs")).json()["data"]
    assert times(listed) == ("completed", "ok", 250, 1000, 1250)


async def test_a_run_that_ends_while_it_is_queued_only_waited(own: RunningPlatform) -> None:
    run = new_run(source="workflow", state="queued")
    await open_run(own, run)
    CLOCK.advance(timedelta(milliseconds=40))
    end = RunFinished("error", error="cancelled", state="cancelled", cancelled_by="ada")
    await close(own, run.id, end)
    run_shown = await detail(own, run.id)
    assert times(run_shown) == ("cancelled", "error", 40, 0, 40)
    assert run_shown["cancelled_by"] == "ada"


async def test_a_turn_that_came_after_the_end_leaves_no_working_time(own: RunningPlatform) -> None:
    """By a clock that goes ahead."""
    run = new_run(source="workflow", state="queued")
    await open_run(own, run)
    async with own.platform.database.write() as transaction:
        late = CLOCK.now() + timedelta(milliseconds=50)
        await own.platform.runlog.log.begin(transaction, run.id, late)
    await close(own, run.id, RunFinished("ok", output="x"))
    assert times(await detail(own, run.id)) == ("completed", "ok", 50, 0, 0)


@pytest.mark.parametrize(
    ("end", "state", "status"),
    [
        (RunFinished("ok"), "completed", "ok"),
        (RunFinished("error", error="no"), "failed", "error"),
        (RunFinished("error", error="no", state="timed_out"), "timed_out", "error"),
        (RunFinished("error", error="no", state="crashed"), "crashed", "error"),
    ],
)
async def test_the_state_says_how_a_run_ended(
    own: RunningPlatform, end: RunFinished, state: str, status: str
) -> None:
    run = new_run(source="workflow")
    await open_run(own, run)
    await close(own, run.id, end)
    shown = await detail(own, run.id)
    assert (shown["state"], shown["status"]) == (state, status)


async def test_a_call_of_the_playground_has_a_state_too(own: RunningPlatform) -> None:
    shown = await detail(own, await logged(own))
    assert (shown["state"], shown["version"]) == ("completed", None)
    shown = await detail(own, await logged(own, call=model_call(output=None, error="no")))
    assert shown["state"] == "failed"


async def test_what_a_platform_that_ended_left_has_crashed(own: RunningPlatform) -> None:
    run = new_run(source="workflow")
    await open_run(own, run)
    async with own.platform.database.write() as transaction:
        assert await own.platform.runlog.log.close_orphans(transaction) == 1
    shown = await detail(own, run.id)
    assert (shown["state"], shown["status"]) == ("crashed", "error")


async def test_a_step_tells_of_its_attempts_and_items(own: RunningPlatform) -> None:
    run = new_run(source="workflow")
    await open_run(own, run)
    await add_step(own, run.id, STEP)
    (step,) = (await detail(own, run.id))["steps"]
    assert step["attempts"] == 2
    assert step["failures"] == list(STEP.failures)
    assert step["items"] == {"total": 3, "completed": 2, "failed": 1}
    assert (step["version"], step["reused"]) == ("7", True)


async def test_failures_quote_nothing_where_no_texts_are_kept(
    database_kind: DatabaseKind, postgres: Postgres
) -> None:
    settings = await new_settings(database_kind, postgres, new_data_folder(), run_texts="none")
    async with running_platform(settings) as platform:
        run = new_run(source="workflow")
        await open_run(platform, run)
        await add_step(platform, run.id, STEP)
        (step,) = (await detail(platform, run.id))["steps"]
    assert step["failures"] == list(STEP.failure_summaries)
