"""Fixtures: platforms on both databases, and a watchdog over their event loop."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from harness.loop_watchdog import LoopWatchdog
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres


@pytest.fixture(scope="session")
def loop_watchdog() -> Iterator[LoopWatchdog]:
    watchdog = LoopWatchdog()
    with watchdog.watch():
        yield watchdog


@pytest.fixture(autouse=True)
def no_stalled_loop(loop_watchdog: LoopWatchdog) -> Iterator[None]:
    """Fails a test in which the loop stood still: one request must not delay all others."""
    loop_watchdog.stalls.clear()
    yield
    if loop_watchdog.stalls:
        pytest.fail(f"the event loop stood still for too long: {loop_watchdog.stalls}")


@pytest.fixture(params=["sqlite", "postgresql"], scope="session")
def database_kind(request: pytest.FixtureRequest) -> DatabaseKind:
    kind: DatabaseKind = request.param
    return kind


@pytest_asyncio.fixture(scope="session")
async def platform(
    database_kind: DatabaseKind, postgres: Postgres
) -> AsyncIterator[RunningPlatform]:
    """Shared by many tests: use keys of your own."""
    data = new_data_folder()
    async with running_platform(await new_settings(database_kind, postgres, data)) as running:
        yield running
    shutil.rmtree(data)


@pytest.fixture
def data_folder() -> Iterator[Path]:
    """An empty data folder, removed at the end."""
    folder = new_data_folder()
    yield folder
    shutil.rmtree(folder)
