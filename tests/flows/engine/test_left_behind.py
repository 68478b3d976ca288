"""Running runs don't stay running in Prefect when their engine is killed."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest

from harness.engine import (
    READY_SECONDS,
    EngineProcess,
    prepared,
    request,
    running_engine,
    under_way,
    workflow,
)
from harness.held_model import ANSWER, held_model
from harness.prefect_runs import leave_behind, until_state
from harness.prefect_server import PrefectServer
from harness.processes import eventually
from harness.tcp_gate import tcp_gate
from harness.vendors import Answer, fake_vendor
from promptops_flows.definitions.workflow import parse_steps
from promptops_flows.protocol.engine_client import RunFinished, RunRequest
from promptops_flows.steps.plans import WorkflowPlan
from promptops_flows.steps.targets import DefinitionTarget
from promptops_flows.steps.workflow import RunWorkflow

pytestmark = pytest.mark.trial

ENDLESS = {"name": "endless", "type": "model", "model": "mock-slow-60000ms"}
MESSAGE = "The run engine ended before it reported the end of this run"
STEP_MESSAGE = "The run engine ended before it reported the end of this step"
MORE_THAN_A_PAGE = 130


def state(server: PrefectServer, flow_run_id: str) -> dict[str, Any]:
    with server.client() as client:
        run: dict[str, Any] = client.get(f"flow_runs/{flow_run_id}").raise_for_status().json()
        return dict(run["state"])


def names(server: PrefectServer, *flow_run_ids: str) -> list[str]:
    return [state(server, run_id)["name"] for run_id in flow_run_ids]


def kill(engine: EngineProcess) -> None:
    engine.process.kill()
    engine.process.wait()


async def killed_in_a_run(server: PrefectServer, engine: EngineProcess) -> list[str]:
    """One of its runs was executing, the other not yet started."""
    await engine.client().wait_ready(READY_SECONDS)
    async with (
        prepared(engine.client(), request()) as waiting,
        under_way(engine.client(), request([ENDLESS])) as (flow_run_id, _),
    ):
        assert names(server, flow_run_id, waiting.flow_run_id) == ["Running", "Pending"]
        kill(engine)
    return [flow_run_id, waiting.flow_run_id]


async def test_the_next_engine_ends_the_runs_of_a_killed_one(prefect_server: PrefectServer) -> None:
    at = prefect_server.api_url, prefect_server.auth
    async with AsyncExitStack() as stack:
        old, stranger = (stack.enter_context(running_engine(*at)) for _ in range(2))
        left = await killed_in_a_run(prefect_server, old)
        foreign = await killed_in_a_run(prefect_server, stranger)
        new = stack.enter_context(running_engine(*at, predecessor=old))
        await new.client().wait_ready(READY_SECONDS)
        await until_state(prefect_server, "Crashed", *left)
        assert {state(prefect_server, run_id)["message"] for run_id in left} == {MESSAGE}
        assert names(prefect_server, *foreign) == ["Running", "Pending"]
        assert new.process.poll() is None


def task_states(server: PrefectServer, flow_run_id: str) -> dict[str, tuple[str, str]]:
    filters = {"flow_runs": {"id": {"any_": [flow_run_id]}}}
    with server.client() as client:
        tasks = client.post("task_runs/filter", json=filters).raise_for_status().json()
    return {
        task["name"]: (task["state_name"], task["state"]["message"])
        for task in tasks
        if task["state"]
    }


async def test_the_steps_of_a_killed_engine_end_as_well(prefect_server: PrefectServer) -> None:
    """One step had ended, one was running, one waited for its retry; so did an inner run's."""
    at = prefect_server.api_url, prefect_server.auth
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(held_model())
        busy = Answer.of_json({}, 503, retry_after="600")
        server = await stack.enter_async_context(fake_vendor(busy))
        old = stack.enter_context(running_engine(*at))
        await old.client().wait_ready(READY_SECONDS)
        inner = parse_steps([model.step])
        asked = workflow(
            [
                {"name": "done", "type": "render", "template": "x", "needs": []},
                {"name": "retried", "type": "http", "url": server.url, "retries": 1, "needs": []},
                {**model.step, "needs": []},
                {"name": "sub", "type": "workflow", "key": "left-inner", "needs": []},
            ]
        )
        run_id, _ = await stack.enter_async_context(
            under_way(old.client(), replace(with_inner(asked, inner), **model.access))
        )

        def all_seen() -> bool:
            shown = {
                name: state for name, (state, _) in task_states(prefect_server, run_id).items()
            }
            return len(inner_runs(prefect_server, run_id)) == 1 and shown.items() >= {
                ("done", "Completed"),
                ("retried", "AwaitingRetry"),
                ("held", "Running"),
                ("sub", "Running"),
            }

        await asyncio.to_thread(eventually, all_seen)
        (inner_id,) = inner_runs(prefect_server, run_id)
        await asyncio.to_thread(eventually, lambda: task_states(prefect_server, inner_id))
        kill(old)
        new = stack.enter_context(running_engine(*at, predecessor=old))
        await new.client().wait_ready(READY_SECONDS)
        await until_state(prefect_server, "Crashed", run_id, inner_id)
        crashed = ("Crashed", STEP_MESSAGE)

        def all_ended() -> bool:
            shown = task_states(prefect_server, run_id)
            inner = task_states(prefect_server, inner_id)
            steps = (shown["retried"], shown["held"], shown["sub"], inner["held"])
            return steps == (crashed,) * 4

        await asyncio.to_thread(eventually, all_ended)
        left = {state for state, _ in task_states(prefect_server, run_id).values()}
        assert left == {"Completed", "Crashed"}
        assert task_states(prefect_server, run_id)["done"][0] == "Completed"


def with_inner(asked: RunRequest, inner: WorkflowPlan) -> RunRequest:
    """The run, whose last step runs that workflow."""
    assert isinstance(asked.plan, WorkflowPlan)
    *steps, last = asked.plan.steps
    last = replace(last, action=RunWorkflow(DefinitionTarget("left-inner"), None, inner))
    return replace(asked, plan=replace(asked.plan, steps=(*steps, last)))


def inner_runs(server: PrefectServer, flow_run_id: str) -> list[str]:
    body = {"flow_runs": {"parent_flow_run_id": {"any_": [flow_run_id]}}}
    with server.client() as client:
        runs = client.post("flow_runs/filter", json=body).raise_for_status().json()
    return [run["id"] for run in runs]


def unfinished(client: httpx.Client, engine: EngineProcess) -> list[str]:
    states = {"type": {"any_": ["RUNNING", "PENDING"]}}
    filters = {"tags": {"all_": [f"engine:{engine.engine_id}"]}, "state": states}
    runs = client.post("flow_runs/filter", json={"flow_runs": filters}).raise_for_status().json()
    return [run["id"] for run in runs]


async def test_more_than_a_page_is_ended_once_prefect_is_back(
    prefect_server: PrefectServer,
) -> None:
    port = int(prefect_server.api_url.split(":")[2].split("/")[0])
    async with tcp_gate(port) as gate:
        await gate.shut()
        url = f"http://127.0.0.1:{gate.port}/api"
        with running_engine(url, prefect_server.auth) as engine, prefect_server.client() as client:
            await asyncio.to_thread(leave_behind, client, MORE_THAN_A_PAGE, engine.engine_id)
            await gate.open()
            await engine.client().wait_ready(READY_SECONDS)

            def all_ended() -> bool:
                return not unfinished(client, engine)

            await asyncio.to_thread(eventually, all_ended)
            # Not at the end of the block, which would block the relay's loop.
            engine.process.terminate()
            assert await asyncio.to_thread(engine.exit_code) == 0


async def test_living_engines_keep_their_runs(prefect_server: PrefectServer) -> None:
    at = prefect_server.api_url, prefect_server.auth
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(held_model())
        old = stack.enter_context(running_engine(*at))
        await old.client().wait_ready(READY_SECONDS)
        run_id, events = await stack.enter_async_context(under_way(old.client(), model.request))
        # Like the kernel when the platform is killed.
        assert old.process.stdin is not None
        old.process.stdin.close()
        await asyncio.to_thread(eventually, lambda: not old.socket.exists())
        new = stack.enter_context(running_engine(*at, predecessor=old))
        await new.client().wait_ready(READY_SECONDS)
        with prefect_server.client() as client:
            (left,) = leave_behind(client, 1, new.engine_id)
        own, _ = await stack.enter_async_context(under_way(new.client(), request([ENDLESS])))
        waiting = await stack.enter_async_context(prepared(new.client(), request()))
        await asyncio.sleep(1)
        assert names(prefect_server, run_id, left) == ["Running", "Running"]
        assert old.process.poll() is None
        model.hold.release()
        assert [event async for event in events][-1] == RunFinished("ok", ANSWER)
        await until_state(prefect_server, "Crashed", left)
        await until_state(prefect_server, "Completed", run_id)
        await asyncio.sleep(0.5)
        assert names(prefect_server, own, waiting.flow_run_id) == ["Running", "Pending"]
        kill(new)


async def test_a_run_that_ends_after_all_shows_its_end(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    async with (
        held_model() as model,
        under_way(engine.client(), model.request) as (
            flow_run_id,
            events,
        ),
    ):
        crashed = {"state": {"type": "CRASHED", "message": MESSAGE}, "force": True}
        with prefect_server.client() as client:
            client.post(f"flow_runs/{flow_run_id}/set_state", json=crashed).raise_for_status()
        assert names(prefect_server, flow_run_id) == ["Crashed"]
        model.hold.release()
        assert [event async for event in events][-1] == RunFinished("ok", ANSWER)
    await until_state(prefect_server, "Completed", flow_run_id)
