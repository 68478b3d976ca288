"""Several replicas on one PostgreSQL: who goes on with the runs of one that died."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from harness.detached_runs import STEPS, ended, submit
from harness.fake_engine import fake_engine
from harness.platform import (
    RunningPlatform,
    new_data_folder,
    new_settings,
    running_platform,
    until,
    until_found,
)
from harness.postgres import Postgres
from harness.runs import detail
from harness.workflows import run_workflow, save_workflow
from promptops_platform.changes import replicas
from promptops_platform.settings import Settings


@pytest_asyncio.fixture
async def first(postgres: Postgres) -> AsyncIterator[Settings]:
    data = new_data_folder()
    yield await new_settings("postgresql", postgres, data, drain_seconds=0.2)
    shutil.rmtree(data)


@pytest_asyncio.fixture
async def others(first: Settings) -> AsyncIterator[list[Settings]]:
    """Of two further replicas."""
    (first.data / "secret.key").write_text("A" * 43 + "=\n")
    (first.data / "secret.key").chmod(0o600)
    folders = [new_data_folder() for _ in range(2)]
    for folder in folders:
        shutil.copy2(first.data / "secret.key", folder / "secret.key")
    yield [first.model_copy(update={"data": folder}) for folder in folders]
    for folder in folders:
        shutil.rmtree(folder)


@pytest.fixture
def soon_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "DEAD_AFTER", timedelta(seconds=2))


async def die(platform: RunningPlatform) -> None:
    """As a killed replica: it beats no more and writes no more, and its rows stay."""
    rooms = platform.platform
    tasks = [active.task for active in rooms.execution.detached.active.values()]
    tasks += [active.task for active in rooms.execution.executor.active.values()]
    await rooms.execution.take_over.stop()
    assert rooms.changes.replicas._task is not None
    rooms.changes.replicas._task.cancel()
    rooms.changes.replicas._task = None
    for task in filter(None, tasks):
        task.cancel()


@pytest.mark.trial
@pytest.mark.usefixtures("soon_dead")
async def test_one_of_the_others_goes_on(first: Settings, others: list[Settings]) -> None:
    async with (
        fake_engine(first.engine_socket) as dying,
        fake_engine(others[0].engine_socket) as one,
        fake_engine(others[1].engine_socket) as two,
        running_platform(others[0]) as platform,
        running_platform(others[1]) as bystander,
        running_platform(first) as dead,
    ):
        dying.hold = lambda _run, place: place == 2
        workflow = await save_workflow(dead, STEPS)
        run_ids = [await submit(dead, workflow) for _ in range(6)]
        waited = asyncio.create_task(run_workflow(dead, workflow))
        await until(lambda: len(dying.held) == 7)
        (waited_id,) = {run for run, _ in dying.held} - set(run_ids)
        await die(dead)
        runs = [await ended(platform, run_id) for run_id in run_ids]
        assert {(run["state"], run["attempt"]) for run in runs} == {("completed", 2)}
        for run_id in run_ids:
            assert one.executed[run_id, 2] + two.executed[run_id, 2] == 1, "exactly one"
            assert one.executed[run_id, 1] + two.executed[run_id, 1] == 0, "it was completed"
        assert (await ended(bystander, waited_id))["state"] == "crashed"
        waited.cancel()


async def test_the_runs_of_a_living_one_are_left_to_it(
    first: Settings, others: list[Settings]
) -> None:
    async with (
        fake_engine(first.engine_socket) as engine,
        running_platform(first) as owner,
        running_platform(others[0]) as other,
    ):
        engine.hold = lambda _run, place: place == 2
        run_id = await submit(owner, await save_workflow(owner, STEPS))
        await until(lambda: bool(engine.held))
        assert await other.platform.execution.take_over.take_over_dead() == []
        engine.release()
        assert (await ended(owner, run_id))["attempt"] == 1


@pytest.mark.usefixtures("soon_dead")
async def test_a_replica_that_was_cut_off_writes_no_more_of_runs_that_were_taken_over(
    first: Settings, others: list[Settings]
) -> None:
    async with (
        fake_engine(first.engine_socket) as engine,
        fake_engine(others[0].engine_socket) as next_engine,
        running_platform(others[0]) as other,
        running_platform(first) as cut_off,
    ):
        engine.hold = lambda _run, place: place == 2
        next_engine.hold = lambda _run, place: place == 3
        run_id = await submit(cut_off, await save_workflow(cut_off, STEPS))
        await until(lambda: bool(engine.held))
        beating = cut_off.platform.changes.replicas._task
        assert beating is not None
        beating.cancel()
        await until(lambda: bool(next_engine.held))
        engine.release()
        await until(lambda: not cut_off.platform.execution.detached.active)
        run = await detail(other, run_id)
        assert (run["state"], run["attempt"]) == ("running", 2)
        assert engine.executed[run_id, 3] == 0, "it was cancelled there"
        next_engine.release()
        assert (await ended(other, run_id))["output"] == "one two three "
        cut_off.platform.changes.replicas._task = None


async def test_a_run_is_cancelled_at_another_replica(
    first: Settings, others: list[Settings]
) -> None:
    async with (
        fake_engine(first.engine_socket) as engine,
        running_platform(first) as owner,
        running_platform(others[0]) as other,
    ):
        engine.hold = lambda _run, place: place == 2
        run_id = await submit(owner, await save_workflow(owner, STEPS))
        await until(lambda: bool(engine.held))

        async def sees() -> list[str]:
            return other.platform.changes.replicas.others

        await until_found(sees)
        answer = await other.http.post(f"/api/runs/{run_id}/cancel")
        assert answer.status_code == 202
        run = await ended(other, run_id)
        assert (run["state"], run["cancelled_by"]) == ("cancelled", "admin")
        assert engine.executed[run_id, 3] == 0
