"""The calls of prompts in the last day."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest_asyncio

from harness.people import new_workspace, sent
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from harness.runs import logged, model_call, new_run
from promptops_platform.clock import FakeClock
from promptops_providers.protocol import PromptVersion, Usage

NOW = datetime(2026, 3, 2, 22, 40, tzinfo=UTC)


@pytest_asyncio.fixture(scope="module")
async def own(database_kind: DatabaseKind, postgres: Postgres) -> AsyncIterator[RunningPlatform]:
    settings = await new_settings(database_kind, postgres, new_data_folder())
    async with running_platform(settings, FakeClock(NOW)) as platform:
        yield platform


async def call(
    platform: RunningPlatform, ago: timedelta, key: str, env: str = "prod", **fields: Any
) -> None:
    """A run that used this prompt so long ago."""
    workspace, error = fields.get("workspace", "default"), fields.get("error")
    prompt = PromptVersion(key, env, fields.get("version", "v1"))
    run = new_run(started_at=NOW - ago, prompt=prompt, workspace_id=workspace)
    usage = Usage(1_000_000, 0, estimated=False)
    spent = model_call(provider="openai", model="gpt-5-mini", usage=usage, error=error)
    await logged(platform, run, spent)


async def last_day(platform: RunningPlatform, *keys: str, **query: str) -> dict[str, Any]:
    params = [("key", key) for key in keys] + list(query.items())
    day = sent(await platform.http.get("/api/prompt-keys/calls", params=params))
    assert day["since"] == "2026-03-01T23:00:00Z"
    return {line.pop("key"): line for line in day["keys"]}


async def test_calls_are_those_of_this_hour_and_the_23_before(own: RunningPlatform) -> None:
    for minutes in (0, 39, 41, 23 * 60 + 39, 23 * 60 + 41):
        await call(own, timedelta(minutes=minutes), "a", version=f"v{minutes}")
    await call(own, timedelta(minutes=5), "a", env="dev", error="no")
    await call(own, timedelta(minutes=5), "b")
    workspace = await new_workspace(own)
    await call(own, timedelta(minutes=5), "a", workspace=workspace)
    calls = await last_day(own, "a", "nowhere")
    assert list(calls) == ["a"]
    assert (calls["a"]["calls"], calls["a"]["errors"]) == (5, 1)
    assert calls["a"]["hours"] == [1, *[0] * 21, 1, 3]
    runs = sent(await own.http.get("/api/runs", params={"prompt": "a", "limit": 1}))
    assert calls["a"]["cost_usd"] == 5 * runs[0]["cost_usd"] > 0
    assert (await last_day(own, "a", env="prod"))["a"]["hours"] == [1, *[0] * 21, 1, 2]
    elsewhere = await last_day(own, "a", workspace=workspace)
    assert elsewhere["a"]["calls"] == 1
    assert await last_day(own) == {}
