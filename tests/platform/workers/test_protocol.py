"""What a worker says over HTTP, and what the platform makes of it: no worker runs here."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from harness.callers import new_api_key
from harness.changes.workers import (
    WORKER,
    claimed_run,
    new_worker_id,
    offered_run,
    registered_worker,
)
from harness.platform import DatabaseKind, RunningPlatform, new_settings, running_platform
from harness.postgres import Postgres
from harness.runs import detail
from promptops_flows.protocol.engine_protocol import (
    Began,
    RunEvent,
    RunFinished,
    StepFinished,
    encode,
)
from promptops_platform.clock import FakeClock

AT = "2026-03-14T09:26:53.589793+00:00"


def finished(index: int) -> StepFinished:
    return StepFinished(index, f"step {index}", "render", "Completed", AT, 1, 1, output="done")


class Reporter:
    """Reports as a worker that has claimed a run."""

    def __init__(self, platform: RunningPlatform, run_id: str, worker_id: str, key: str) -> None:
        self._platform = platform
        self._run_id = run_id
        self._worker_id = worker_id
        self._key = key

    async def send(self, first: int, *events: RunEvent, attempt: int = 1) -> httpx.Response:
        body: dict[str, Any] = {"worker": self._worker_id, "attempt": attempt, "first": first}
        body["events"] = [encode(event).decode() for event in events]
        async with self._platform.client(self._key) as client:
            return await client.post(f"/api/worker/runs/{self._run_id}/events", json=body)

    async def claim(self, flow_run_id: str) -> httpx.Response:
        async with self._platform.client(self._key) as client:
            url = f"/api/worker/runs/{flow_run_id}/claim"
            return await client.post(url, json={"worker": self._worker_id})


async def test_what_is_reported_twice_is_recorded_once(platform: RunningPlatform) -> None:
    run_id, worker_id, key = await claimed_run(platform)
    reporter = Reporter(platform, run_id, worker_id, key)
    for _ in range(2):
        assert (await reporter.send(1, Began(), finished(1))).status_code == 200
    # Of what comes again only the part is new that was not answered yet.
    assert (await reporter.send(2, finished(1), finished(2))).status_code == 200
    missing = await reporter.send(9, finished(3))
    assert missing.status_code == 400
    assert "the events from 4 on are missing" in missing.json()["error"]
    end = RunFinished("ok", output="done")
    for _ in range(2):
        assert (await reporter.send(4, end)).status_code == 200
    run = await detail(platform, run_id)
    assert (run["state"], run["output"], len(run["steps"])) == ("completed", "done", 2)


async def test_a_run_is_one_workers_at_a_time(platform: RunningPlatform) -> None:
    first = Reporter(platform, "", *(await registered_worker(platform)))
    run_id, flow_run_id = await offered_run(platform)
    assert (await first.claim(flow_run_id)).status_code == 200
    worker_id, key = await registered_worker(platform)
    second = Reporter(platform, run_id, worker_id, key)
    for answer in (await second.claim(flow_run_id), await second.send(1, Began())):
        assert answer.status_code == 409, answer.text
        assert answer.json()["code"] == "conflict"
    assert (await second.claim("0" * 32)).status_code == 404
    # With its key alone nobody speaks for another worker.
    stolen = Reporter(platform, run_id, worker_id, (await registered_worker(platform))[1])
    assert (await stolen.send(1, Began())).json()["error"].startswith("the worker is unknown")


async def test_a_key_that_is_wrong_or_revoked_is_refused(platform: RunningPlatform) -> None:
    created = await new_api_key(platform, role="worker")
    body = {**WORKER, "id": new_worker_id()}
    async with platform.client(created["key"]) as client:
        assert (await client.post("/api/worker/register", json=body)).status_code == 200
        revoked = await platform.http.delete(f"/api/keys/{created['id']}")
        assert revoked.status_code == 200, revoked.text
        answer = await client.post("/api/worker/heartbeat", json={**body, "running": []})
        assert answer.status_code == 401
    async with platform.client((await new_api_key(platform, role="admin"))["key"]) as client:
        answer = await client.post("/api/worker/register", json=body)
        assert answer.status_code == 403
        assert "worker" in answer.json()["error"]


async def test_a_worker_that_is_silent_for_30_seconds_loses_its_runs(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    clock = FakeClock()
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings, clock) as platform:
        lost = platform.platform.workers.lost
        run_id, worker_id, key = await claimed_run(platform)
        silent = Reporter(platform, run_id, worker_id, key)
        assert (await silent.send(1, Began(), finished(1))).status_code == 200
        clock.advance(timedelta(seconds=29))
        assert await lost.release_lost() == 0
        clock.advance(timedelta(seconds=2))
        assert await lost.release_lost() == 1
        run = await detail(platform, run_id)
        assert (run["state"], run["attempt"], len(run["steps"])) == ("queued", 2, 1)
        assert (await silent.send(3, RunFinished("ok", output="late"))).status_code == 409


async def test_a_platform_that_was_restarted_takes_what_its_predecessor_would(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        run_id, worker_id, key = await claimed_run(platform)
        reporter = Reporter(platform, run_id, worker_id, key)
        assert (await reporter.send(1, Began(), finished(1))).status_code == 200
    async with running_platform(settings) as platform:
        reporter = Reporter(platform, run_id, worker_id, key)
        end = RunFinished("ok", output="done")
        assert (await reporter.send(2, finished(1), end)).status_code == 200
        run = await detail(platform, run_id)
    assert (run["state"], run["attempt"], len(run["steps"])) == ("completed", 1, 1)


async def test_a_worker_retries_runs_of_its_own_pool_only(platform: RunningPlatform) -> None:
    run_id, worker_id, key = await claimed_run(platform)
    reporter = Reporter(platform, run_id, worker_id, key)
    end = RunFinished("error", error="broken")
    assert (await reporter.send(1, Began(), end)).status_code == 200
    flow_run_id = (await detail(platform, run_id))["flow_run_id"]
    stranger_id, stranger_key = new_worker_id(), (await new_api_key(platform, role="worker"))["key"]
    async with platform.client(stranger_key) as client:
        hello = {**WORKER, "id": stranger_id, "pool": "other"}
        assert (await client.post("/api/worker/register", json=hello)).status_code == 200
        url, body = f"/api/worker/runs/{flow_run_id}/claim", {"worker": stranger_id}
        answer = await client.post(url, json={**body, "is_retry": True})
        assert answer.status_code == 409, answer.text
    async with platform.client(key) as client:
        url, body = f"/api/worker/runs/{flow_run_id}/claim", {"worker": worker_id}
        # Nobody has pressed Retry: Prefect offers it no longer, as soon as it is told.
        assert (await client.post(url, json=body)).status_code == 404
