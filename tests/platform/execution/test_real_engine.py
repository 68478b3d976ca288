"""Durable runs on a real engine and a real Prefect."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from harness.counting_vendor import CountingVendor, counting_vendor
from harness.detached_runs import ended, submit
from harness.engine import EngineProcess, running_engine, use_engine
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_key,
    new_settings,
    running_platform,
    until,
    until_found,
)
from harness.postgres import Postgres
from harness.prefect_runs import flow_run, task_runs
from harness.prefect_server import PrefectServer, frozen
from harness.processes import eventually
from harness.runs import detail
from harness.workflows import run_workflow, running, save_workflow
from promptops_platform.execution.prefect_retries import NOT_RETRYABLE

__all__ = ["running"]

RETRY = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}


async def chain(
    platform: RunningPlatform, vendor: CountingVendor, last: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A workflow that asks the vendor three times, each time for the answer before."""
    name = new_key()[:40]
    connection = {"name": name, "kind": "openai-compatible", "model": "m", "api_key": "k"}
    made = await platform.http.post("/api/providers", json={**connection, "base_url": vendor.url})
    assert made.status_code == 200, made.text
    steps = [{"name": "text", "type": "render", "template": f"{name} "}]
    steps += [{"name": f"ask {at}", "type": "model", "provider": name} for at in range(3)]
    return await save_workflow(platform, [*steps, *([last] if last else [])])


async def state_in_prefect(
    server: PrefectServer, flow_run_id: str, name: str, *, message: str = ""
) -> None:
    def look() -> bool:
        state = flow_run(server, flow_run_id)["state"]
        return bool(state["name"] == name) and message in (state["message"] or "")

    await asyncio.to_thread(eventually, look)


def press_retry(server: PrefectServer, flow_run_id: str) -> None:
    with server.client() as client:
        url = f"flow_runs/{flow_run_id}/set_state"
        client.post(url, json={"state": RETRY, "force": True}).raise_for_status()


@pytest.mark.trial
async def test_a_killed_engine_and_the_next_one(
    database_kind: DatabaseKind,
    postgres: Postgres,
    prefect_server: PrefectServer,
    data_folder: Path,
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder, engine_wait_seconds=30)
    address = prefect_server.api_url, prefect_server.auth
    development = {"PROMPTOPS_ENV": "development"}
    async with counting_vendor(0.5) as vendor, running_platform(settings) as platform:
        with running_engine(*address, environment=development) as first:
            use_engine(platform, first)
            run_id = await submit(platform, await chain(platform, vendor))
            await until(lambda: len(vendor.calls) == 2)
            first.process.kill()
            lost = (await detail(platform, run_id))["flow_run_id"]
            with running_engine(*address, environment=development, predecessor=first) as second:
                use_engine(platform, second)
                run = await ended(platform, run_id)
                await state_in_prefect(prefect_server, lost, "Crashed")
                await state_in_prefect(prefect_server, run["flow_run_id"], "Completed")
                tasks = task_runs(prefect_server, run["flow_run_id"], 4)
    assert (run["state"], run["attempt"]) == ("completed", 2)
    assert [task["state_name"] for task in tasks][:2] == ["Cached", "Cached"]
    counts = [vendor.calls[text] for text in sorted(vendor.calls, key=len)]
    assert counts == [1, 2, 1], "only the step in flight was executed twice"


@pytest.mark.trial
async def test_a_run_that_nobody_waits_for_goes_on_while_prefect_is_frozen(
    running: RunningPlatform, prefect_server: PrefectServer, engine: EngineProcess
) -> None:
    assert engine
    async with counting_vendor(0.2) as vendor:
        run_id = await submit(running, await chain(running, vendor))
        await until(lambda: bool(vendor.calls))
        with frozen(prefect_server):
            run = await ended(running, run_id)
            assert (run["state"], run["attempt"]) == ("completed", 1)
    await state_in_prefect(prefect_server, run["flow_run_id"], "Completed")
    assert set(vendor.calls.values()) == {1}


async def test_retry_in_prefect_retries_the_run_on_its_flow_run(
    running: RunningPlatform, prefect_server: PrefectServer, engine: EngineProcess
) -> None:
    assert engine
    async with counting_vendor(0.0) as vendor:
        broken = {"name": "read", "type": "transform", "op": "json"}
        answer = await run_workflow(running, await chain(running, vendor, broken))
        assert answer.status_code == 502, answer.text
        failed = answer.json()
        await state_in_prefect(prefect_server, failed["flow_run_id"], "Failed")
        press_retry(prefect_server, failed["flow_run_id"])

        async def look() -> list[dict[str, Any]]:
            runs = (await running.http.get("/api/runs?limit=20")).json()["data"]
            return [run for run in runs if run["retry_of"] == failed["run_id"]]

        (retry,) = await until_found(look)
        assert retry["user"] == "Prefect"
        run = await ended(running, retry["id"])
    assert (run["state"], run["flow_run_id"]) == ("failed", failed["flow_run_id"])
    assert [step["reused"] for step in run["steps"]] == [True] * 4 + [False]
    assert set(vendor.calls.values()) == {1}


async def test_prefect_shows_why_a_run_is_not_retried(
    running: RunningPlatform, prefect_server: PrefectServer, engine: EngineProcess
) -> None:
    assert engine
    step = {"name": "read", "type": "transform", "op": "json"}
    gone = await save_workflow(running, [step])
    completed = await run_workflow(running, await save_workflow(running, [{**step, "op": "upper"}]))
    failed = await run_workflow(running, gone)
    assert (completed.status_code, failed.status_code) == (200, 502)
    (await running.http.delete(f"/api/workflows/{gone['id']}")).raise_for_status()
    expected = [
        (completed.json()["flow_run_id"], "Completed", NOT_RETRYABLE),
        (failed.json()["flow_run_id"], "Failed", "so its runs can't be retried"),
    ]
    for flow_run_id, state, _ in expected:
        await state_in_prefect(prefect_server, flow_run_id, state)
        press_retry(prefect_server, flow_run_id)
    for flow_run_id, state, reason in expected:
        await state_in_prefect(prefect_server, flow_run_id, state, message=reason)


async def test_a_retry_executes_a_failed_step_again_in_spite_of_which_the_run_went_on(
    running: RunningPlatform, engine: EngineProcess
) -> None:
    assert engine
    broken = {"type": "transform", "op": "json"}
    steps = [
        {"name": "free", "type": "render", "template": "free", "needs": []},
        {"name": "flaky", **broken, "needs": ["free"], "continue_on_error": True, "default": "-"},
        {"name": "behind", "type": "render", "template": "{{input}}", "needs": ["flaky"]},
        {"name": "last", **broken, "needs": ["behind"]},
    ]
    failed = await run_workflow(running, await save_workflow(running, steps))
    assert failed.status_code == 502, failed.text
    answer = await running.http.post(f"/api/runs/{failed.json()['run_id']}/retry")
    run = await ended(running, answer.json()["data"]["id"])
    assert run["state"] == "failed"
    reused = [step["name"] for step in run["steps"] if step["reused"]]
    assert reused == ["free"], "what depends on the failed step is executed again with it"
