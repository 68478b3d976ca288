"""Kill -9 of the platform, with a run in each of the moments in which that may hit one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio

from harness.detached_runs import STEPS, ended
from harness.fake_engine import START, FakeEngine
from harness.platform import TOKEN, new_key, running_platform, until, until_found
from harness.up import PromptOps, promptops
from promptops_platform.settings import Settings

IN_A_STEP, BETWEEN_STEPS, ENDING = 2, 3, 0
MOMENTS = (START, IN_A_STEP, BETWEEN_STEPS, ENDING)


@pytest_asyncio.fixture
async def killable(settings: Settings) -> AsyncIterator[PromptOps]:
    """A process that uses the engine of the test, with a place for a run in each moment."""
    own = {"token": TOKEN, "engine_concurrency": str(len(MOMENTS))}
    if settings.database_url is not None:
        own["database_url"] = settings.database_url.get_secret_value()
    with promptops("serve", own, data=settings.data) as platform:
        await asyncio.to_thread(platform.start)
        yield platform


def client(platform: PromptOps) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {platform.token}"}
    return httpx.AsyncClient(base_url=platform.url, headers=headers, timeout=60)


async def submitted(http: httpx.AsyncClient, url: str) -> str:
    answer = await http.post(url, json={"wait": False})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])


async def steps(http: httpx.AsyncClient, run_id: str) -> list[Any]:
    """Those that are stored."""
    return list((await http.get(f"/api/runs/{run_id}")).json()["data"]["steps"])


async def test_whenever_it_is_killed_each_run_ends_once(
    killable: PromptOps, settings: Settings, fake: FakeEngine
) -> None:
    places: dict[str, int] = {}
    coming = iter(MOMENTS)

    def hold(run_id: str, place: int) -> bool:
        if run_id not in places:
            places[run_id] = next(coming, IN_A_STEP)
        return places[run_id] == place

    fake.hold = hold
    async with client(killable) as http:
        saved = await http.post("/api/workflows", json={"key": new_key(), "steps": STEPS})
        url = f"/api/workflows/{saved.json()['data']['id']}/run"
        run_ids = [await submitted(http, url) for _ in MOMENTS]
        await until(lambda: len(fake.held) == len(MOMENTS))
        waited = asyncio.create_task(http.post(url, json={}))
        await until(lambda: len(fake.held) == len(MOMENTS) + 1)
        (waited_id,) = set(places) - set(run_ids)
        (step,) = await until_found(lambda: steps(http, waited_id))
        assert step["name"] == "one"
        queued = await submitted(http, url)
        assert (await http.get(f"/api/runs/{queued}")).json()["data"]["state"] == "queued"
        killable.kill()
        with contextlib.suppress(httpx.TransportError):
            await waited
    at = {place: run_id for run_id, place in places.items() if run_id in run_ids}
    fake.executed[at[BETWEEN_STEPS], BETWEEN_STEPS] = 0  # it had not begun
    fake.release()
    async with running_platform(settings) as platform:
        runs = [await ended(platform, run_id) for run_id in (*run_ids, queued)]
        assert {(run["state"], run["output"]) for run in runs} == {("completed", "one two three ")}
        assert (await ended(platform, waited_id))["state"] == "crashed"
        assert (await platform.http.get("/api/runs/stats")).json()["total"] == len(runs) + 1
        retried = (await platform.http.post(f"/api/runs/{waited_id}/retry")).json()["data"]["id"]
        assert (await ended(platform, retried))["state"] == "completed"
    twice = {step for step, times in fake.executed.items() if times > 1}
    assert twice == {(at[IN_A_STEP], IN_A_STEP)}, "only the step in flight"
    assert [fake.executed[retried, place] for place in (1, 2, 3)] == [0, 1, 1]
