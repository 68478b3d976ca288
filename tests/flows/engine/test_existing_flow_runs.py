"""Existing flow runs in Prefect that are executed again, and notifications about Retry."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from harness.engine import (
    READY_SECONDS,
    EngineProcess,
    going,
    prepared,
    request,
    run_to_end,
    running_engine,
    under_way,
    workflow,
)
from harness.held_model import ANSWER, held_model
from harness.prefect_runs import ended_flow_run, flow_run, leave_behind, task_runs, until_state
from harness.prefect_server import PrefectServer
from harness.processes import eventually
from promptops_flows.engine.retry_watchers import RetryWatchers
from promptops_flows.protocol.engine_client import (
    EngineLost,
    EngineRefused,
    EngineUnavailable,
    RunFinished,
)
from promptops_flows.protocol.engine_protocol import RetryPressed

pytestmark = pytest.mark.trial

FAILING = [
    {"name": "a", "type": "render", "template": "A"},
    {"name": "b", "type": "model", "model": "mock-fail-rate-limited"},
]
MENDED = [FAILING[0], {"name": "b", "type": "model", "model": "mock-echo"}]


def press_retry(server: PrefectServer, flow_run_id: str) -> None:
    """The same request as from Prefect's interface."""
    state = {"type": "SCHEDULED", "name": "AwaitingRetry"}
    with server.client() as client:
        body = {"state": state, "force": True}
        client.post(f"flow_runs/{flow_run_id}/set_state", json=body).raise_for_status()


def state_name(server: PrefectServer, flow_run_id: str) -> str:
    return str(flow_run(server, flow_run_id)["state_name"])


async def test_a_flow_run_is_executed_again(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    first = await run_to_end(engine.client(), workflow(FAILING))
    assert first.result.state == "failed"
    await asyncio.to_thread(task_runs, prefect_server, first.flow_run_id, 2)
    press_retry(prefect_server, first.flow_run_id)
    asked = replace(workflow(MENDED), flow_run_id=first.flow_run_id, checkpoints=first.checkpoints)
    again = await run_to_end(engine.client(), asked)
    assert again.flow_run_id == first.flow_run_id
    assert again.result == RunFinished("ok", "A")
    run = ended_flow_run(prefect_server, first.flow_run_id)
    assert (run["state_name"], run["run_count"]) == ("Completed", 2)
    tasks = await asyncio.to_thread(task_runs, prefect_server, first.flow_run_id, 4)
    assert [(task["name"], task["state_name"], task["flow_run_run_count"]) for task in tasks] == [
        ("a", "Completed", 1),
        ("b", "Failed", 1),
        ("a", "Cached", 2),
        ("b", "Completed", 2),
    ]


async def test_one_that_is_not_started_does_not_wait_for_ever(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    first = await run_to_end(engine.client(), workflow(FAILING))
    press_retry(prefect_server, first.flow_run_id)
    async with prepared(engine.client(), replace(request(), flow_run_id=first.flow_run_id)):
        assert state_name(prefect_server, first.flow_run_id) == "AwaitingRetry"
    await until_state(prefect_server, "Crashed", first.flow_run_id)


@pytest.mark.parametrize("flow_run_id", ["00000000-0000-4000-8000-000000000000", "no-id"])
async def test_a_missing_flow_run_is_refused(engine: EngineProcess, flow_run_id: str) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    with pytest.raises(EngineRefused, match=f"Prefect has no flow run {flow_run_id}"):
        await engine.client().start(replace(request(), flow_run_id=flow_run_id))


async def test_one_of_a_previous_engine_does_not_count_as_left_behind(
    prefect_server: PrefectServer,
) -> None:
    at = prefect_server.api_url, prefect_server.auth
    async with AsyncExitStack() as stack:
        model, other = [await stack.enter_async_context(held_model()) for _ in range(2)]
        old = stack.enter_context(running_engine(*at))
        await old.client().wait_ready(READY_SECONDS)
        retried = (await run_to_end(old.client(), workflow(FAILING))).flow_run_id
        _, events = await stack.enter_async_context(under_way(old.client(), model.request))
        # Like the kernel when the platform is killed: the engine lives until its run ends.
        assert old.process.stdin is not None
        old.process.stdin.close()
        await asyncio.to_thread(eventually, lambda: not old.socket.exists())
        new = stack.enter_context(running_engine(*at, predecessor=old))
        await new.client().wait_ready(READY_SECONDS)
        with prefect_server.client() as client:
            (left,) = leave_behind(client, 1, new.engine_id)
        press_retry(prefect_server, retried)
        asked = replace(other.request, flow_run_id=retried)
        async with going(new.client(), asked) as (_, more):
            model.hold.release()
            assert [event async for event in events][-1] == RunFinished("ok", ANSWER)
            await until_state(prefect_server, "Crashed", left)
            assert state_name(prefect_server, retried) == "Running"
            other.hold.release()
            assert [event async for event in more][-1] == RunFinished("ok", ANSWER)
        await until_state(prefect_server, "Completed", retried)


async def test_another_engine_marks_it_as_its_own(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    with running_engine(prefect_server.api_url, prefect_server.auth) as other:
        await other.client().wait_ready(READY_SECONDS)
        first = await run_to_end(other.client(), workflow(FAILING))
    asked = replace(workflow(MENDED), flow_run_id=first.flow_run_id)
    assert (await run_to_end(engine.client(), asked)).result.status == "ok"
    tags = flow_run(prefect_server, first.flow_run_id)["tags"]
    assert [tag for tag in tags if tag.startswith("engine:")] == [f"engine:{engine.engine_id}"]
    assert "workspace:default" in tags


async def test_watchers_are_notified_of_each_press() -> None:
    watchers = RetryWatchers()
    early: list[RetryPressed] = []
    late: list[RetryPressed] = []
    for _ in range(2):
        watchers.pressed(RetryPressed("before anybody watched"))
    with watchers.watching(early.append):
        watchers.pressed(RetryPressed("one"))
        with watchers.watching(late.append):
            watchers.pressed(RetryPressed("two"))
    watchers.pressed(RetryPressed("three"))
    with watchers.watching(late.append):
        pass
    assert [pressed.flow_run_id for pressed in early] == ["before anybody watched", "one", "two"]
    assert late == [RetryPressed("two"), RetryPressed("three")]


async def test_a_watch_lasts_as_long_as_the_engine(prefect_server: PrefectServer) -> None:
    with running_engine(prefect_server.api_url, prefect_server.auth) as engine:
        await engine.client().wait_ready(READY_SECONDS)
        watch = await engine.client().watch()
        # Meanwhile, runs are accepted.
        assert (await run_to_end(engine.client(), request())).result.status == "ok"
        engine.process.kill()
        with pytest.raises(EngineLost):
            await anext(watch.events())
        await watch.close()
        # Its connections end before its socket does.
        await asyncio.to_thread(engine.process.wait)
        with pytest.raises(EngineUnavailable):
            await engine.client().watch()
