"""A team with an environment that asks for approvals."""

from collections.abc import AsyncIterator

import pytest_asyncio

from harness.change_requests import Team, new_team
from harness.platform import RunningPlatform


@pytest_asyncio.fixture
async def team(platform: RunningPlatform) -> AsyncIterator[Team]:
    async with new_team(platform) as team:
        yield team
