"""Kill -9 of one of two workers in the middle of the runs of their pool."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from signal import SIGKILL
from typing import Any, NamedTuple

import httpx
import pytest

from harness.counting_vendor import counting_vendor
from harness.prefect_server import end
from harness.up import PromptOps, created, promptops
from harness.workers import spawn_worker

pytestmark = pytest.mark.trial

POOL = "chaos"
STEPS = [
    {"name": "name", "type": "render", "template": "run {{number}}"},
    *({"name": f"ask {number}", "type": "model", "provider": "slow"} for number in range(2)),
]
WAIT_SECONDS = 900


class Plan(NamedTuple):
    """So many runs, so many at once on each worker, after so many ends one is killed, and so many
    seconds later it counts as lost. A call takes so long that a worker is seen with runs."""

    runs: int
    places: int
    ends: int
    lost_seconds: int
    call_seconds: float


PLAN = Plan(200, 16, 60, 30, 1.0)


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_each_run_ends_once_though_a_worker_is_killed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = {"worker_lost_seconds": str(PLAN.lost_seconds)}
    async with counting_vendor(PLAN.call_seconds) as vendor:
        with promptops("up", settings) as platform:
            await asyncio.to_thread(platform.start)
            key, run_ids = await asyncio.to_thread(queued_runs, platform, vendor.url, PLAN.runs)
            server = platform.url
            places = {"PROMPTOPS_WORKER_CONCURRENCY": str(PLAN.places)}
            workers = [spawn_worker(server, key, POOL, **places) for _ in range(2)]
            try:
                await ended(platform, PLAN.ends)
                busy = await busy_worker(platform)
                next(one for one in workers if one.name == busy).process.send_signal(SIGKILL)
                killed_at = time.monotonic()
                await ended(platform, PLAN.runs)
                seconds = time.monotonic() - killed_at
            finally:
                for worker in workers:
                    await asyncio.to_thread(end, worker.process)
            runs = await asyncio.to_thread(details, platform, run_ids)
            total = await asyncio.to_thread(count_ended, platform)
            assert platform.stop() == 0
    attempts = Counter(run["attempt"] for run in runs)
    calls = Counter(vendor.calls.values())
    with capsys.disabled():
        print(f"\n{PLAN.runs} runs, the last ended {seconds:.1f} s after the kill;", end=" ")
        print(f"attempts {dict(attempts)}, executions of a step {dict(calls)}")
    assert {run["state"] for run in runs} == {"completed"}
    assert total == PLAN.runs, "each has ended once"
    assert set(attempts) == {1, 2}, "some were hit"
    assert len(vendor.calls) == PLAN.runs * 2, "each step of each run was executed"
    again = sum(count - 1 for count in vendor.calls.values())
    assert again <= PLAN.places, "no step but those in flight was executed twice"


def queued_runs(platform: PromptOps, vendor_url: str, runs: int) -> tuple[str, list[str]]:
    """A key for workers, and runs that wait for them."""
    connection = {"name": "slow", "kind": "openai-compatible", "model": "m", "api_key": "k"}
    with platform.client() as client:
        made = client.post("/api/providers", json={**connection, "base_url": vendor_url})
        assert made.status_code == 200, made.text
        key = client.post("/api/keys", json={"name": "workers", "role": "worker"})
        assert key.status_code == 200, key.text
        workflow = created(client, "workflows", key="chain", steps=STEPS, pool=POOL)
        run_ids = [queued_run(client, workflow["id"], number) for number in range(runs)]
        return str(key.json()["data"]["key"]), run_ids


def queued_run(client: httpx.Client, workflow_id: str, number: int) -> str:
    body = {"wait": False, "variables": {"number": number}}
    answer = client.post(f"/api/workflows/{workflow_id}/run", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])


def details(platform: PromptOps, run_ids: list[str]) -> list[dict[str, Any]]:
    with platform.client() as client:
        return [client.get(f"/api/runs/{run_id}").json()["data"] for run_id in run_ids]


def count_ended(platform: PromptOps) -> int:
    with platform.client() as client:
        total: int = client.get("/api/runs/stats").json()["total"]
        return total


async def busy_worker(platform: PromptOps) -> str:
    """The name of a worker that executes runs, and has others to follow them."""

    def look() -> list[dict[str, Any]]:
        with platform.client() as client:
            listed: list[dict[str, Any]] = client.get("/api/workers").json()["data"]
            return listed

    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            for worker in await asyncio.to_thread(look):
                if worker["running"]:
                    return str(worker["name"])
            await asyncio.sleep(0.2)


async def ended(platform: PromptOps, number: int) -> None:
    """Return once so many runs have ended. One request a look: the platform has work to do."""
    async with asyncio.timeout(WAIT_SECONDS):
        while await asyncio.to_thread(count_ended, platform) < number:
            await asyncio.sleep(0.5)
