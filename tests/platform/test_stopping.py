"""What runs in the background of a platform ends when it is cancelled, whatever it is at."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import pytest_asyncio

from harness.cancelling import ends_when_cancelled
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from harness.processes import WAIT_SECONDS
from harness.runs import model_call, new_run
from promptops_platform.clock import SystemClock
from promptops_platform.db.location import PostgresUrl
from promptops_platform.lifecycle import Platform

Background = Callable[[Platform], Coroutine[Any, Any, None]]
TASKS: dict[str, Background] = {
    "feed": lambda platform: platform.changes.feed._follow(),
    "pruning": lambda platform: platform.changes.feed._prune_forever(),
    "replicas": lambda platform: platform.changes.replicas._beat_or_log(),
    "uses": lambda platform: platform.access.uses._write_forever(),
    "calls": lambda platform: platform.runlog.calls._write_forever(),
    "retention": lambda platform: platform.runlog.retention._prune_forever(),
    "take-over": lambda platform: platform.execution.take_over._look_forever(),
    "presses": lambda platform: platform.execution.prefect_retries._watch_forever(),
    "checkpoints": lambda platform: platform.execution.retention._prune_forever(),
    "ticks": lambda platform: platform.realtime.hub._tick_forever(),
    "order": lambda platform: platform.realtime.hub._order._release_forever(),
}


@pytest_asyncio.fixture(scope="module")
async def own(database_kind: DatabaseKind, postgres: Postgres) -> AsyncIterator[RunningPlatform]:
    data = new_data_folder()
    async with running_platform(
        await new_settings(database_kind, postgres, data, empty=True)
    ) as platform:
        yield platform
    shutil.rmtree(data)


def stirring(platform: Platform) -> Callable[[], None]:
    """Gives everybody in the background something to do."""

    def stir() -> None:
        platform.changes.feed.wake()
        platform.changes.replicas.progress.set()
        platform.changes.replicas._wake_waiting()
        platform.realtime.hub._order._filled.set()
        platform.runlog.calls._filled.set()

    return stir


@pytest.mark.parametrize("name", TASKS)
async def test_a_cancelled_task_ends(own: RunningPlatform, name: str) -> None:
    platform = own.platform
    numbers = range(1, 31) if name == "feed" else (*range(1, 6), 8, 13)
    for number in numbers:
        await platform.runlog.calls.add(new_run(), model_call())
        task = TASKS[name](platform)
        assert await ends_when_cancelled(task, number, stirring(platform)), number


async def test_a_feed_that_is_woken_as_it_is_stopped_ends(own: RunningPlatform) -> None:
    feed = own.platform.changes.feed

    async def wait_again_and_again() -> None:
        while True:
            await feed._wait()
            feed._woken.clear()

    for number in range(1, 15):
        assert await ends_when_cancelled(wait_again_and_again(), number, feed.wake), number


async def test_a_wait_for_replicas_ends(own: RunningPlatform) -> None:
    replicas = own.platform.changes.replicas
    replicas.receive("elsewhere epoch 0")
    for number in range(1, 12):
        replicas.receive(f"elsewhere {own.platform.changes.feed.epoch} 0")
        waiting = replicas.wait_for(own.platform.changes.feed.applied + 1, 60)
        assert await ends_when_cancelled(waiting, number, replicas._wake_waiting), number
    replicas.receive("elsewhere")


async def test_listening_for_notifications_ends(own: RunningPlatform) -> None:
    notifications = own.platform.changes.notifications
    if not isinstance(own.platform.settings.database_location, PostgresUrl):
        assert notifications is None
        return
    assert notifications is not None
    for number in (*range(1, 30, 2), 40, 60):
        listening = notifications._listen()
        assert await ends_when_cancelled(listening, number, stirring(own.platform)), number


async def test_a_platform_stops_at_any_moment_of_its_first_turns(
    database_kind: DatabaseKind, postgres: Postgres
) -> None:
    data = new_data_folder()
    settings = await new_settings(database_kind, postgres, data, empty=True)
    first = Platform(settings, SystemClock())
    await first.prepare()
    await first.stop()
    for turns in range(0, 60, 4):
        platform = Platform(settings, SystemClock())
        await platform.prepare()
        await platform.start()
        stir = stirring(platform)
        for _ in range(turns):
            stir()
            await asyncio.sleep(0)
        async with asyncio.timeout(WAIT_SECONDS):
            await platform.stop()
    shutil.rmtree(data)
