"""Platforms whose engine the test controls."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from harness.fake_engine import FakeEngine, fake_engine
from harness.platform import DatabaseKind, RunningPlatform, new_settings, running_platform
from harness.postgres import Postgres
from promptops_platform.settings import Settings


@pytest_asyncio.fixture
async def settings(database_kind: DatabaseKind, postgres: Postgres, data_folder: Path) -> Settings:
    return await new_settings(database_kind, postgres, data_folder, drain_seconds=0.2)


@pytest_asyncio.fixture
async def fake(settings: Settings) -> AsyncIterator[FakeEngine]:
    async with fake_engine(settings.engine_socket) as engine:
        yield engine


@pytest_asyncio.fixture
async def controlled(settings: Settings, fake: FakeEngine) -> AsyncIterator[RunningPlatform]:
    assert fake
    async with running_platform(settings) as platform:
        yield platform
