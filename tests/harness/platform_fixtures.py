"""Fixtures: platforms on both databases, and a watchdog for their event loop."""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

# Otherwise loaded with the first secret, in the loop, which the watchdog would report.
import cryptography.fernet  # noqa: F401
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
from promptops_platform.access import passwords
from promptops_platform.changes import feed

# Before any test has changed it.
PRODUCT_ROUNDS = passwords.ROUNDS


@pytest.fixture(scope="session")
def loop_watchdog() -> Iterator[LoopWatchdog]:
    watchdog = LoopWatchdog()
    with watchdog.watch():
        yield watchdog


@pytest.fixture(autouse=True)
def no_stalled_loop(loop_watchdog: LoopWatchdog) -> Iterator[None]:
    """Fails a test that blocked the loop: one request must not delay all others."""
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
    database_kind: DatabaseKind, request: pytest.FixtureRequest
) -> AsyncIterator[RunningPlatform]:
    """Shared by many tests: use unique keys."""
    async with _fresh_platform(database_kind, request) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def module_platform(
    database_kind: DatabaseKind, request: pytest.FixtureRequest
) -> AsyncIterator[RunningPlatform]:
    """For the tests of one module, which depend on the platform's other content."""
    async with _fresh_platform(database_kind, request) as running:
        yield running


@asynccontextmanager
async def _fresh_platform(
    database_kind: DatabaseKind, request: pytest.FixtureRequest
) -> AsyncIterator[RunningPlatform]:
    data = new_data_folder()
    # Started where it is needed only.
    postgres = request.getfixturevalue("postgres") if database_kind == "postgresql" else None
    async with running_platform(await new_settings(database_kind, postgres, data)) as running:
        yield running
    shutil.rmtree(data)


@pytest.fixture(scope="session", autouse=True)
def few_rounds() -> Iterator[None]:
    """A hundredth of the password hashing rounds in most tests: hashing isn't their subject, and
    would take most of their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "ROUNDS", PRODUCT_ROUNDS // 100)
        yield


@pytest.fixture
def costly_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many rounds as in production."""
    monkeypatch.setattr(passwords, "ROUNDS", PRODUCT_ROUNDS)


@pytest.fixture
def no_slow_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes reach other replicas only by NOTIFY: the slow poll can't replace it."""
    monkeypatch.setattr(feed, "POSTGRES_POLL_SECONDS", 3600.0)


@pytest.fixture
def data_folder() -> Iterator[Path]:
    """An empty data folder, removed at the end."""
    folder = new_data_folder()
    yield folder
    shutil.rmtree(folder)
