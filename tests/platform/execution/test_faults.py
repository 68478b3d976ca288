"""What happens to durable runs when disks, secret keys and engines fail."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from harness.detached_runs import STEPS, ended, stored, submit
from harness.fake_engine import FakeEngine, fake_engine
from harness.platform import TOKEN, RunningPlatform, running_platform, until
from harness.runs import detail
from harness.small_disk import SmallDisk, small_disk
from harness.workflows import save_workflow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import DatabaseUnavailable, SecretUnreadable
from promptops_platform.execution.active_run import ActiveRun
from promptops_platform.execution.stored_runs import ResealedRuns
from promptops_platform.settings import Settings

pytestmark = pytest.mark.trial

OLD = "b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQtb2xkLW9sZC0="
NEW = "bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldy0="


@pytest.fixture
def disk(data_folder: Path) -> Iterator[SmallDisk]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    with small_disk(data_folder, 16) as disk:
        yield disk


def with_keys(settings: Settings, *keys: str) -> Settings:
    return settings.model_copy(update={"secret_key": SecretStr(",".join(keys))})


async def failed(platform: RunningPlatform, fake: FakeEngine, place: int) -> str:
    fake.failing = {place}
    run_id = await submit(platform, await save_workflow(platform, STEPS))
    await ended(platform, run_id)
    fake.failing = set()
    return run_id


async def rotate(platform: RunningPlatform, *, forget: bool = False) -> ResealedRuns:
    async with platform.platform.database.write() as transaction:
        return await platform.platform.execution.stored.rotate(transaction, forget=forget)


async def test_a_full_disk_at_a_checkpoint_holds_the_run_up_and_loses_nothing(
    disk: SmallDisk,
) -> None:
    settings = Settings(data=disk.folder, token=SecretStr(TOKEN), engine_wait_seconds=0.5)
    async with fake_engine(settings.engine_socket) as fake, running_platform(settings) as platform:
        fake.hold = lambda _run, place: place == 1
        run_id = await submit(platform, await save_workflow(platform, STEPS))
        await until(lambda: bool(fake.held))
        disk.fill()
        before = platform.platform.database.unavailable
        fake.release()
        await until(lambda: platform.platform.database.unavailable > before + 1)
        assert fake.executed[run_id, 2] == 0, "it waits for the checkpoint of the first"
        disk.make_room()
        assert (await ended(platform, run_id))["state"] == "completed"
        assert [fake.executed[run_id, place] for place in (1, 2, 3)] == [1, 1, 1]


async def test_an_engine_that_is_killed_between_steps_repeats_none(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    fake.hold = lambda _run, place: place == 3
    run_id = await submit(controlled, await save_workflow(controlled, STEPS))
    await until(lambda: bool(fake.held))
    fake.executed[run_id, 3] = 0  # it had not begun
    await fake.kill()
    fake.release()
    await fake.start()
    assert (await ended(controlled, run_id))["state"] == "completed"
    assert [fake.executed[run_id, place] for place in (1, 2, 3)] == [1, 1, 1]


async def test_an_engine_that_is_killed_while_a_run_ends_repeats_nothing(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    fake.hold = lambda _run, place: place == 0
    run_id = await submit(controlled, await save_workflow(controlled, STEPS))
    await until(lambda: bool(fake.held))
    await fake.kill()
    fake.release()
    await fake.start()
    run = await ended(controlled, run_id)
    assert (run["state"], run["output"]) == ("completed", "one two three ")
    assert [step["name"] for step in run["steps"]] == ["one", "two", "three"]
    assert set(fake.executed.values()) == {1}


async def test_a_platform_that_is_killed_while_a_run_ends_ends_it_once(
    settings: Settings, fake: FakeEngine
) -> None:
    fake.hold = lambda _run, place: place == 0
    async with running_platform(settings) as platform:
        run_id = await submit(platform, await save_workflow(platform, STEPS))
        await until(lambda: bool(fake.held))
    fake.release()
    async with running_platform(settings) as platform:
        assert (await ended(platform, run_id))["state"] == "completed"
        assert (await platform.http.get("/api/runs/stats")).json()["total"] == 1
    assert set(fake.executed.values()) == {1}


async def test_an_end_that_was_committed_and_seemed_lost_counts_once(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    assert fake
    run_id = await submit(controlled, await save_workflow(controlled, STEPS))
    run = await ended(controlled, run_id)
    rooms = controlled.platform
    await rooms.execution.detached._attempts.execute(ActiveRun(run_id), was_lost=True)
    assert await detail(controlled, run_id) == run
    assert (await controlled.http.get("/api/runs/stats")).json()["total"] == 1


async def test_checkpoints_are_read_after_a_rotation(settings: Settings, fake: FakeEngine) -> None:
    async with running_platform(with_keys(settings, OLD)) as platform:
        run_id = await failed(platform, fake, 3)
    async with running_platform(with_keys(settings, NEW, OLD)) as platform:
        assert await rotate(platform) == ResealedRuns(texts=3, deleted=0)
    async with running_platform(with_keys(settings, NEW)) as platform:
        answer = await platform.http.post(f"/api/runs/{run_id}/retry")
        run = await ended(platform, answer.json()["data"]["id"])
        assert run["state"] == "completed"
        assert [fake.executed[run["id"], place] for place in (1, 2, 3)] == [0, 0, 1]


async def test_what_no_key_reads_is_said_and_can_be_forgotten(
    settings: Settings, fake: FakeEngine
) -> None:
    fake.hold = lambda _run, place: place == 2
    async with running_platform(with_keys(settings, OLD)) as platform:
        going = await submit(platform, await save_workflow(platform, STEPS))
        await until(lambda: bool(fake.held))
        fake.hold = lambda _run, _place: False
        run_id = await failed(platform, fake, 3)
    fake.release()
    async with running_platform(with_keys(settings, NEW)) as platform:
        run = await ended(platform, going)
        assert run["state"] == "crashed"
        assert "another secret key" in run["error"]
        answer = await platform.http.post(f"/api/runs/{run_id}/retry")
        assert (answer.status_code, answer.json()["code"]) == (503, "secret_unreadable")
        with pytest.raises(SecretUnreadable):
            await rotate(platform)
        assert (await rotate(platform, forget=True)).deleted == 2
        assert await stored(platform, "run_checkpoints") == []


async def test_a_checkpoint_is_read_at_its_own_place_only(
    controlled: RunningPlatform, fake: FakeEngine
) -> None:
    first, second = await failed(controlled, fake, 3), await failed(controlled, fake, 3)
    async with controlled.platform.database.write() as transaction:
        await transaction.session.execute(
            text(
                "UPDATE run_checkpoints SET sealed = (SELECT sealed FROM run_checkpoints "
                f"WHERE run_id = '{first}' AND position = 1) WHERE run_id = '{second}'"
            )
        )
    answer = await controlled.http.post(f"/api/runs/{second}/retry")
    assert answer.status_code == 503
    assert "another place" in answer.json()["error"]


async def test_a_database_that_is_away_when_a_run_ends_is_asked_again(
    controlled: RunningPlatform, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.hold = lambda _run, place: place == 0
    run_id = await submit(controlled, await save_workflow(controlled, STEPS))
    await until(lambda: bool(fake.held))
    ends = controlled.platform.execution.detached._attempts._ends
    asyncio.get_running_loop().call_later(0.3, fake.release)
    monkeypatch.setattr("promptops_platform.execution.run_end.CLOSE_RETRY_SECONDS", 0.05)
    failures = iter([True, True])
    write = controlled.platform.database.write

    def away_twice(*, background: bool = False) -> AbstractAsyncContextManager[Transaction]:
        if next(failures, False):
            raise DatabaseUnavailable("it is away")
        return write(background=background)

    monkeypatch.setattr(ends._database, "write", away_twice)
    assert (await ended(controlled, run_id))["state"] == "completed"
    assert not ends.pending
