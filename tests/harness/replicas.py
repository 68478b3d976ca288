"""Two platforms that share one database as replicas."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest_asyncio

from harness.platform import RunningPlatform, new_settings, running_platform, until
from harness.postgres import Postgres

TwoReplicas = tuple[RunningPlatform, RunningPlatform]


@pytest_asyncio.fixture
async def two_replicas(postgres: Postgres, data_folder: Path) -> AsyncIterator[TwoReplicas]:
    settings = await new_settings("postgresql", postgres, data_folder)
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(running_platform(settings))
        other = await stack.enter_async_context(running_platform(settings))
        for replica in (one, other):
            await until(lambda replica=replica: len(replica.platform.changes.replicas.others) == 1)
        yield one, other
