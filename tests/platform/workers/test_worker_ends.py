"""How worker processes begin and end, and who goes on with their runs, on a real Prefect."""

import asyncio
import signal
from typing import Any

import pytest

from harness.callers import new_api_key
from harness.detached_runs import ended, submit
from harness.held_model import held_model
from harness.platform import DatabaseKind, RunningPlatform, until_found
from harness.prefect_server import PrefectServer, end
from harness.runs import detail
from harness.workers import (
    exit_code,
    logged,
    new_pool,
    reasons,
    running_worker,
    spawn_worker,
    worker_key,
)
from harness.workflows import running, save_workflow

pytestmark = pytest.mark.trial

__all__ = ["running"]

GREET = {"name": "greet", "type": "render", "template": "Hello"}
SLOW = {"name": "slow", "type": "model", "provider": "mock", "model": "mock-slow-60000ms"}


@pytest.fixture(autouse=True)
def one_database(database_kind: DatabaseKind) -> None:
    """How a worker ends does not depend on it; what is recorded does, which `test_protocol` has."""
    if database_kind == "postgresql":
        pytest.skip("the same on the other database")


async def at_attempt(platform: RunningPlatform, run_id: str, attempt: int, state: str) -> None:
    async def look() -> list[dict[str, Any]]:
        run = await detail(platform, run_id)
        return [run] if (run["attempt"], run["state"]) == (attempt, state) else []

    await until_found(look)


async def test_another_worker_goes_on_with_the_runs_of_one_that_is_killed_or_stopped(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    pool = new_pool()
    workflow = await save_workflow(running, [GREET, SLOW], pool=pool)
    async with running_worker(running, pool, prefect_server) as worker:
        run_id = await submit(running, workflow)

        async def steps() -> list[dict[str, Any]]:
            return list((await detail(running, run_id))["steps"])

        (first,) = await until_found(steps)
        assert (first["name"], first["reused"]) == ("greet", False)
        worker.process.send_signal(signal.SIGKILL)
        hasty = {"PROMPTOPS_DRAIN_SECONDS": "0"}
        async with running_worker(running, pool, prefect_server, **hasty) as second:
            await at_attempt(running, run_id, 2, "running")
            # What takes longer than it may is left to others at once, and counts as no loss.
            second.process.terminate()
            assert await exit_code(second) == 0
            await at_attempt(running, run_id, 2, "queued")
            assert "worker.handing_back" in second.events()
    cancelled = await running.http.post(f"/api/runs/{run_id}/cancel")
    assert cancelled.status_code in (200, 202), cancelled.text
    run = await ended(running, run_id)
    assert run["state"] == "cancelled"
    assert [step["name"] for step in run["steps"]].count("greet") == 1


async def test_a_worker_drains_and_a_refused_one_says_why(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    pool = new_pool()
    key = await new_api_key(running, role="worker")
    async with held_model() as held:
        workflow = await save_workflow(running, [held.step], pool=pool)
        options = {"PROMPTOPS_WORKER_CONCURRENCY": "1"}
        async with running_worker(running, pool, prefect_server, **options) as draining:
            run_id = await submit(running, workflow, **held.access)
            await held.is_asked()
            draining.process.terminate()
            await logged(draining, "worker.draining")
            later = await submit(running, workflow, **held.access)
            held.hold.release()
            assert await exit_code(draining) == 0
            assert '"level": "error"' not in draining.log.read_text()
        run = await ended(running, run_id)
        assert (run["state"], run["attempt"]) == ("completed", 1)
        assert (await detail(running, later))["state"] == "queued"
        async with running_worker(running, pool, prefect_server, key=key["key"]) as revoked:
            assert (await ended(running, later))["state"] == "completed"
            gone = await running.http.delete(f"/api/keys/{key['id']}")
            assert gone.status_code == 200, gone.text
            assert await exit_code(revoked) == 2
    server = f"http://127.0.0.1:{running.port}"
    wrong = spawn_worker(server, "pk_wrong", pool, prefect_server)
    viewer = (await new_api_key(running, role="viewer"))["key"]
    forbidden = spawn_worker(server, viewer, pool, prefect_server)
    assert [await exit_code(worker) for worker in (wrong, forbidden)] == [2, 2]
    for worker in (wrong, forbidden):
        await asyncio.to_thread(end, worker.process)
    assert [reason for reason in reasons(revoked) if "key" in reason]
    assert len(reasons(wrong)) == len(reasons(forbidden)) == 1


async def test_a_container_of_a_pool_executes_one_flow_run_and_ends(
    running: RunningPlatform, prefect_server: PrefectServer
) -> None:
    """As Prefect's Docker and Kubernetes workers start it."""
    pool = new_pool()
    run_id = await submit(running, await save_workflow(running, [GREET], pool=pool))
    other_id = await submit(running, await save_workflow(running, [GREET], pool=pool))

    async def offered() -> list[str]:
        flow_run_id = (await detail(running, run_id))["flow_run_id"]
        return [flow_run_id] if flow_run_id else []

    (flow_run_id,) = await until_found(offered)
    key, server = await worker_key(running), f"http://127.0.0.1:{running.port}"
    one = {"PREFECT__FLOW_RUN_ID": flow_run_id}
    container = await asyncio.to_thread(spawn_worker, server, key, pool, prefect_server, **one)
    try:
        assert await exit_code(container) == 0
    finally:
        await asyncio.to_thread(end, container.process)
    assert (await ended(running, run_id))["state"] == "completed"
    assert (await detail(running, other_id))["state"] == "queued"
