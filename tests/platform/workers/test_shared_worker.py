"""What the runs of a work pool can do, on one worker process and a real Prefect."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from harness.agents import save_agent
from harness.approvals import STEPS as ASKING
from harness.approvals import decide, waiting
from harness.counting_vendor import CountingVendor, counting_vendor
from harness.detached_runs import ended, submit
from harness.people import sent
from harness.platform import RunningPlatform, new_key, until_found
from harness.prefect_runs import until_state
from harness.prefect_server import PrefectServer
from harness.runs import detail
from harness.workers import (
    WorkerProcess,
    children_of,
    new_pool,
    press_retry,
    running_worker,
    set_paused,
    set_pool_limit,
)
from harness.workers import workers as listed_workers
from harness.workflows import running, save_workflow

__all__ = ["running"]

STEPS = [
    {"name": "greet", "type": "render", "template": "Hello {{name}}"},
    {"name": "call", "type": "model", "provider": "mock"},
    {"name": "loud", "type": "transform", "op": "upper"},
]


class Shared(NamedTuple):
    """A platform and a worker of its pool, which executes two runs at once."""

    platform: RunningPlatform
    prefect: PrefectServer
    worker: WorkerProcess
    pool: str


@pytest_asyncio.fixture(scope="module")
async def shared(running: RunningPlatform, prefect_server: PrefectServer) -> AsyncIterator[Shared]:
    pool = new_pool()
    options = {"PROMPTOPS_WORKER_CONCURRENCY": "2"}
    async with running_worker(running, pool, prefect_server, **options) as worker:
        yield Shared(running, prefect_server, worker, pool)


async def connected(shared: Shared, vendor: CountingVendor) -> dict[str, str]:
    """A new connection to the vendor."""
    name = new_key()[:40]
    body = {"name": name, "kind": "openai-compatible", "model": "m", "api_key": "k"}
    made = await shared.platform.http.post("/api/providers", json={**body, "base_url": vendor.url})
    connection: dict[str, str] = sent(made)
    return connection


async def test_definitions_are_executed_without_a_new_interpreter(shared: Shared) -> None:
    platform = shared.platform
    workflow = await save_workflow(platform, STEPS, pool=shared.pool)
    agent = await save_agent(platform, prompt="Hi", provider="mock", pool=shared.pool)
    first = await ended(platform, await submit(platform, workflow, variables={"name": "Ada"}))
    children = children_of(shared.worker.process.pid)
    paths = [f"/api/workflows/{workflow['id']}/run", f"/api/agents/{agent['id']}/run"]
    run_ids = []
    for path in paths:
        # Somebody would wait for it, whom a worker may let wait for longer than that.
        answer = await platform.http.post(path, json={"variables": {"name": "Ada"}})
        assert answer.status_code == 202, answer.text
        run_ids.append(answer.json()["run_id"])
        streamed = await platform.http.post(path, json={"variables": {}, "stream": True})
        assert streamed.text.startswith("event: waiting\n"), streamed.text
    runs = [await ended(platform, run_id) for run_id in run_ids]
    (listed,) = await listed_workers(platform, shared.pool)
    assert (first["pool"], first["output"]) == (shared.pool, "[MOCK COMPLETION] HELLO ADA")
    assert [step["name"] for step in first["steps"]] == ["greet", "call", "loud"]
    assert [run["state"] for run in runs] == ["completed", "completed"]
    assert (listed["name"], listed["is_online"]) == (shared.worker.name, True)
    assert children_of(shared.worker.process.pid) == children


async def test_prompts_and_keys_are_resolved_at_the_moment_of_use(shared: Shared) -> None:
    """The worker has no database to read them from, and keeps nothing between two runs."""
    async with counting_vendor(0.0) as vendor:
        connection = await connected(shared, vendor)
        ask = {"name": "ask", "type": "model", "provider": connection["name"]}
        steps = [{"name": "hi", "type": "render", "template": "first"}, ask]
        workflow = await save_workflow(shared.platform, steps, pool=shared.pool)
        first = await ended(shared.platform, await submit(shared.platform, workflow))
        steps[0]["template"] = "second"
        url = f"/api/workflows/{workflow['id']}"
        saved = await shared.platform.http.put(url, json={**workflow, "steps": steps})
        assert saved.status_code == 200, saved.text
        second = await ended(shared.platform, await submit(shared.platform, workflow))
        with set_paused(shared.prefect, shared.pool):
            run_id = await submit(shared.platform, workflow)
            sent(await shared.platform.http.delete(f"/api/providers/{connection['id']}"))
        third = await ended(shared.platform, run_id)
    assert (first["output"], second["output"]) == ("first.", "second.")
    # It was started with a connection that was there.
    assert third["state"] == "failed"
    assert connection["name"] in third["error"]


async def test_a_run_waits_for_people_and_goes_on(shared: Shared) -> None:
    """Nothing of it is executed again, and the worker has room for others meanwhile."""
    platform, prefect = shared.platform, shared.prefect
    async with counting_vendor(0.0) as vendor:
        draft = {
            "name": "draft",
            "type": "model",
            "provider": (await connected(shared, vendor))["name"],
        }
        text = {"name": "text", "type": "render", "template": new_key()}
        steps = [text, draft, *ASKING[1:]]
        workflow = await save_workflow(platform, steps, pool=shared.pool)
        run_ids = [await submit(platform, workflow) for _ in range(3)]
        asked = [await waiting(platform, run_id) for run_id in run_ids]
        flow_run_ids = [(await detail(platform, run_id))["flow_run_id"] for run_id in run_ids]
        await until_state(prefect, "Suspended", *flow_run_ids)
        cancelled = await platform.http.post(f"/api/runs/{run_ids[2]}/cancel")
        assert cancelled.status_code in (200, 202), cancelled.text
        assert (await decide(platform.http, asked[0])).status_code == 200
        assert (await decide(platform.http, asked[1], "reject")).status_code == 200
        runs = [await ended(platform, run_id) for run_id in run_ids]
    assert [run["state"] for run in runs] == ["completed", "failed", "cancelled"]
    assert [run["flow_run_id"] for run in runs] == flow_run_ids
    assert runs[0]["output"] == "send"
    assert sum(vendor.calls.values()) == 3
    for flow_run_id, state in zip(flow_run_ids, ("Completed", "Failed", "Cancelled"), strict=True):
        await until_state(prefect, state, flow_run_id)


async def test_retry_in_prefect_goes_on_where_the_run_failed(shared: Shared) -> None:
    platform, prefect = shared.platform, shared.prefect
    async with counting_vendor(0.0) as vendor:
        ask = {
            "name": "ask",
            "type": "model",
            "provider": (await connected(shared, vendor))["name"],
        }
        text = {"name": "text", "type": "render", "template": new_key()}
        broken = {"name": "read", "type": "transform", "op": "json"}
        failing = await save_workflow(platform, [text, ask, broken], pool=shared.pool)
        running_well = await save_workflow(platform, [text], pool=shared.pool)
        runs = [
            await ended(platform, await submit(platform, workflow))
            for workflow in (failing, running_well)
        ]
        failed, completed = (str(run["flow_run_id"]) for run in runs)
        await until_state(prefect, "Failed", failed)
        await until_state(prefect, "Completed", completed)
        press_retry(prefect, failed, completed)

        async def look() -> list[dict[str, Any]]:
            listed = (await platform.http.get("/api/runs?limit=20")).json()["data"]
            return [run for run in listed if run["retry_of"] == runs[0]["id"]]

        (retry,) = await until_found(look)
        retried = await ended(platform, retry["id"])
    assert (retried["state"], retried["flow_run_id"]) == ("failed", failed)
    assert (retried["user"], retried["pool"]) == ("Prefect", shared.pool)
    assert [step["reused"] for step in retried["steps"]] == [True, True, False]
    assert sum(vendor.calls.values()) == 1
    # A run that was completed stays so, and Prefect shows it.
    await until_state(prefect, "Completed", completed)


@pytest.mark.trial
async def test_concurrency_is_bounded_by_the_worker_and_by_the_pool(shared: Shared) -> None:
    async def at_once(limit: int | None) -> int:
        set_pool_limit(shared.prefect, shared.pool, limit)
        async with counting_vendor(2.0) as vendor:
            name = (await connected(shared, vendor))["name"]
            ask = {"name": "ask", "type": "model", "provider": name}
            steps = [{"name": "text", "type": "render", "template": "{{number}}"}, ask]
            workflow = await save_workflow(shared.platform, steps, pool=shared.pool)
            run_ids = [
                await submit(shared.platform, workflow, variables={"number": number})
                for number in range(3)
            ]
            runs = [await ended(shared.platform, run_id) for run_id in run_ids]
            assert {run["state"] for run in runs} == {"completed"}
            return vendor.most

    try:
        assert (await at_once(None), await at_once(1)) == (2, 1)
    finally:
        set_pool_limit(shared.prefect, shared.pool, None)
