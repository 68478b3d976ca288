"""Workflows on a platform with the session's engine."""

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
    settings = await new_settings(
        database_kind, postgres, data, engine_wait_seconds=30, worker_lost_seconds=10
    )
    async with running_platform(settings) as platform:
        use_engine(platform, engine)
        yield platform
    shutil.rmtree(data)


async def save_workflow(
    platform: RunningPlatform, steps: list[dict[str, Any]], **fields: Any
) -> dict[str, Any]:
    """The workflow as returned by the API."""
    body = {"key": new_key(), "steps": steps, **fields}
    answer = await platform.http.post("/api/workflows", json=body)
    assert answer.status_code == 200, answer.text
    saved: dict[str, Any] = answer.json()["data"]
    return saved


async def run_workflow(
    platform: RunningPlatform, workflow: dict[str, Any], **body: Any
) -> httpx.Response:
    return await platform.http.post(f"/api/workflows/{workflow['id']}/run", json=body or None)
