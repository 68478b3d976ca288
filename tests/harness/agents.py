"""Agents on a platform with a real engine."""

import shutil
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio

from harness.engine import EngineProcess, use_engine
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_key,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres


@pytest_asyncio.fixture(scope="module")
async def running(
    database_kind: DatabaseKind, postgres: Postgres, engine: EngineProcess
) -> AsyncIterator[RunningPlatform]:
    """A platform with the session's engine."""
    data = new_data_folder()
    settings = await new_settings(database_kind, postgres, data, engine_wait_seconds=30)
    async with running_platform(settings) as platform:
        use_engine(platform, engine)
        yield platform
    shutil.rmtree(data)


async def save_agent(platform: RunningPlatform, **fields: Any) -> dict[str, Any]:
    """A new agent with a unique key."""
    answer = await platform.http.post("/api/agents", json={"key": new_key(), **fields})
    assert answer.status_code == 200, answer.text
    saved: dict[str, Any] = answer.json()["data"]
    return saved


async def run_agent(
    platform: RunningPlatform, agent: dict[str, Any], **body: Any
) -> httpx.Response:
    return await platform.http.post(f"/api/agents/{agent['id']}/run", json=body)
