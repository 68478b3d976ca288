"""Waiting for the end of a run, at the replica that executes it and at others."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from harness.people import new_session, new_user, new_workspace, sent
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_settings,
    running_platform,
    until,
)
from harness.postgres import Postgres
from harness.replicas import two_replicas
from harness.runs import close_run, new_run, open_run
from promptops_platform.runlog import waiting

__all__ = ["two_replicas"]


@pytest.fixture
def no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 3600.0)


@pytest_asyncio.fixture
async def own(database_kind: DatabaseKind, postgres: Postgres) -> AsyncIterator[RunningPlatform]:
    """A platform on which one request may wait."""
    data = new_data_folder()
    settings = await new_settings(database_kind, postgres, data, streams_per_caller=1)
    async with running_platform(settings) as platform:
        yield platform
    shutil.rmtree(data)


async def waits(platform: RunningPlatform, run_id: str) -> None:
    """Return once somebody waits for the run at this platform."""
    await until(lambda: run_id in platform.platform.runlog.news._watches)


def get(platform: RunningPlatform, run_id: str, wait: str = "60s") -> asyncio.Task[httpx.Response]:
    url = f"/api/runs/{run_id}"
    return asyncio.create_task(platform.http.get(url, params={"wait": wait}, timeout=100))


@pytest.mark.usefixtures("no_poll")
async def test_the_end_of_a_run_is_returned_at_once(platform: RunningPlatform) -> None:
    run = new_run()
    await open_run(platform, run)
    answer = get(platform, run.id)
    await waits(platform, run.id)
    await close_run(platform, run.id)
    data = sent(await answer)
    assert (data["status"], data["output"]) == ("ok", "done")
    assert platform.platform.runlog.news._watches == {}


async def test_a_run_that_does_not_end_is_returned_as_it_is(platform: RunningPlatform) -> None:
    run = new_run()
    await open_run(platform, run)
    assert sent(await get(platform, run.id, "1ms"))["status"] == "running"
    await close_run(platform, run.id)
    assert sent(await get(platform, run.id))["status"] == "ok"


@pytest.mark.usefixtures("no_poll")
async def test_another_replica_signals_the_end(two_replicas: Any) -> None:
    one, other = two_replicas
    run = new_run()
    await open_run(one, run)
    answer = get(other, run.id)
    await waits(other, run.id)
    await close_run(one, run.id)
    assert sent(await answer)["status"] == "ok"


async def test_a_lost_signal_delays_the_end_only(
    two_replicas: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two_replicas
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(one.platform.changes.signals, "send", lambda _text: None)
    run = new_run()
    await open_run(one, run)
    answer = get(other, run.id)
    await waits(other, run.id)
    await close_run(one, run.id)
    assert sent(await answer)["status"] == "ok"


@pytest.mark.usefixtures("no_poll")
async def test_a_stop_ends_the_wait(own: RunningPlatform) -> None:
    run = new_run()
    await open_run(own, run)
    answer = get(own, run.id)
    await waits(own, run.id)
    own.platform.stop_signal.set()
    assert sent(await answer)["status"] == "running"


@pytest.mark.usefixtures("no_poll")
async def test_too_many_waits_of_one_caller_are_refused(own: RunningPlatform) -> None:
    run = new_run()
    await open_run(own, run)
    answer = get(own, run.id)
    await waits(own, run.id)
    refused = await get(own, run.id)
    assert refused.status_code == 429
    assert "PROMPTOPS_STREAMS_PER_CALLER" in refused.json()["error"]
    assert refused.headers["retry-after"] == "5"
    await close_run(own, run.id)
    assert (await answer).status_code == 200
    assert (await get(own, run.id)).status_code == 200


@pytest.mark.usefixtures("no_poll")
async def test_who_logs_out_meanwhile_sees_nothing(platform: RunningPlatform) -> None:
    run = new_run()
    await open_run(platform, run)
    async with platform.client(
        await new_session(platform, await new_user(platform, "viewer"))
    ) as http:
        url = f"/api/runs/{run.id}?wait=60s"
        answer = asyncio.create_task(http.get(url, timeout=100))
        await waits(platform, run.id)
        assert (await http.post("/api/logout")).status_code == 200
        await close_run(platform, run.id)
        assert (await answer).status_code == 401


async def test_a_run_of_a_foreign_workspace_does_not_exist(platform: RunningPlatform) -> None:
    run = new_run(workspace_id=await new_workspace(platform, "restricted"))
    await open_run(platform, run)
    async with platform.client(
        await new_session(platform, await new_user(platform, "viewer"))
    ) as http:
        assert (await http.get(f"/api/runs/{run.id}?wait=60s")).status_code == 404


@pytest.mark.parametrize("wait", ["soon", "61s", "60001ms", "-1s", "1m", "1e3s", "5"])
async def test_a_wait_that_is_none_is_refused(platform: RunningPlatform, wait: str) -> None:
    answer = await platform.http.get("/api/runs/any", params={"wait": wait})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("wait: must be a time of at most 60s")
