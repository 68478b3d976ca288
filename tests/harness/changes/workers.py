"""Workers, and the runs that they execute."""

import uuid

from harness.callers import new_api_key
from harness.changes.rows import Call, row
from harness.changes.workflows import STEPS
from harness.people import sent
from harness.platform import RunningPlatform, new_key
from promptops_flows.protocol.engine_protocol import Began, encode
from promptops_platform.runlog.under_way import UNCLAIMED

WORKER = {"name": "w", "pool": "gpu", "version": "1", "concurrency": 1}


@row("POST", "/api/worker/register")
async def _register_worker(platform: RunningPlatform) -> Call:
    """Workers aren't shown to other users; the log of each run names its worker."""
    key = await new_api_key(platform, role="worker")
    return Call("/api/worker/register", {**WORKER, "id": new_worker_id()}, key["key"])


@row("POST", "/api/worker/heartbeat")
async def _beat(platform: RunningPlatform) -> Call:
    worker_id, key = await registered_worker(platform)
    return Call("/api/worker/heartbeat", {**WORKER, "id": worker_id, "running": []}, key)


@row("POST", "/api/worker/leave")
async def _leave(platform: RunningPlatform) -> Call:
    worker_id, key = await registered_worker(platform)
    return Call("/api/worker/leave", {"worker": worker_id}, key)


@row("POST", "/api/worker/runs/{flow_run_id}/claim")
async def _claim(platform: RunningPlatform) -> Call:
    """A run changes nothing for others, whoever executes it."""
    worker_id, key = await registered_worker(platform)
    _, flow_run_id = await offered_run(platform)
    return Call(f"/api/worker/runs/{flow_run_id}/claim", {"worker": worker_id}, key)


@row("POST", "/api/worker/runs/{run_id}/events")
async def _report(platform: RunningPlatform) -> Call:
    run_id, worker_id, key = await claimed_run(platform)
    events = [encode(Began()).decode()]
    body = {"worker": worker_id, "attempt": 1, "first": 1, "events": events}
    return Call(f"/api/worker/runs/{run_id}/events", body, key)


@row("POST", "/api/worker/runs/{run_id}/return")
async def _return(platform: RunningPlatform) -> Call:
    run_id, worker_id, key = await claimed_run(platform)
    return Call(f"/api/worker/runs/{run_id}/return", {"worker": worker_id, "attempt": 1}, key)


def new_worker_id() -> str:
    """The request of a worker at its start."""
    return uuid.uuid4().hex


async def registered_worker(platform: RunningPlatform) -> tuple[str, str]:
    """The id of a registered worker, and its key."""
    worker_id, key = new_worker_id(), (await new_api_key(platform, role="worker"))["key"]
    async with platform.client(key) as client:
        answer = await client.post("/api/worker/register", json={**WORKER, "id": worker_id})
    assert answer.status_code == 200, answer.text
    return worker_id, key


async def offered_run(platform: RunningPlatform) -> tuple[str, str]:
    """A run that waits in a pool, and its flow run; there is no engine here that reports it to
    Prefect."""
    body = {"key": new_key(), "steps": STEPS, "pool": WORKER["pool"]}
    made = sent(await platform.http.post("/api/workflows", json=body))
    answer = await platform.http.post(f"/api/workflows/{made['id']}/run", json={"wait": False})
    run_id, flow_run_id = str(answer.json()["run_id"]), str(uuid.uuid4())
    waiting = platform.platform.runlog.under_way.of(UNCLAIMED)
    async with platform.platform.database.write() as transaction:
        await waiting.hand_over(transaction, run_id, flow_run_id, None)
    return run_id, flow_run_id


async def claimed_run(platform: RunningPlatform) -> tuple[str, str, str]:
    """A run, the worker that executes it, and the worker's key."""
    worker_id, key = await registered_worker(platform)
    run_id, flow_run_id = await offered_run(platform)
    async with platform.client(key) as client:
        url = f"/api/worker/runs/{flow_run_id}/claim"
        answer = await client.post(url, json={"worker": worker_id})
    assert answer.status_code == 200, answer.text
    return run_id, worker_id, key
