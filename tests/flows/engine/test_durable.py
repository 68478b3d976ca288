"""Durable runs: no step begins before its dependencies are stored, and a run whose platform is gone
is left to the one that continues it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, TypeVar

from harness.engine import (
    READY_SECONDS,
    EngineProcess,
    agent,
    going,
    prepared,
    request,
    run_to_end,
    running_engine,
    workflow,
)
from harness.held_model import held_model
from harness.prefect_runs import flow_run
from harness.prefect_server import PrefectServer
from harness.processes import WAIT_SECONDS, eventually
from harness.vendors import Answer, fake_vendor, openai
from promptops_flows.protocol.engine_client import (
    Checkpoint,
    RunEvent,
    RunFinished,
    StepCheckpoint,
    StepFinished,
)
from promptops_flows.steps.http_tools import HttpTool

T = TypeVar("T", bound=RunEvent)
BROKE = "the platform's connection to the run broke"


def call(name: str, url: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "type": "http", "url": f"{url}/{name}", **fields}


async def until(events: AsyncIterator[RunEvent], kind: type[T]) -> T:
    """The next event of that kind."""
    async with asyncio.timeout(WAIT_SECONDS):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"no {kind.__name__} came")


async def until_state(server: PrefectServer, flow_run_id: str, name: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        state: dict[str, Any] = flow_run(server, flow_run_id)["state"]
        return state if state["name"] == name else None

    return await asyncio.to_thread(eventually, look)


async def test_a_step_waits_until_its_dependencies_are_stored(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    async with fake_vendor(Answer.of_json("x")) as server:
        asked = workflow([call("first", server.url), call("second", server.url)])
        async with going(engine.client(), replace(asked, durable=True)) as (run, events):
            kept = (await until(events, StepCheckpoint)).checkpoint
            assert (kept.index, kept.name, kept.output.text) == (1, "first", '"x"')
            assert await until(events, StepFinished)
            # Long enough for a step that would not wait.
            assert (await run_to_end(engine.client(), request())).result.status == "ok"
            assert [seen.path for seen in server.requests] == ["/first"]
            await run.checkpoint_stored(1)
            assert (await until(events, StepCheckpoint)).checkpoint.index == 2
            await run.checkpoint_stored(2)
            assert (await until(events, RunFinished)).status == "ok"


async def test_an_independent_step_does_not_wait(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    async with fake_vendor(Answer.of_json("x")) as server:
        steps = [
            call("a", server.url, needs=[]),
            call("b", server.url, needs=[]),
            call("after b", server.url, needs=["b"]),
        ]
        async with going(engine.client(), replace(workflow(steps), durable=True)) as (run, events):
            names = {}
            for _ in range(2):
                kept = (await until(events, StepCheckpoint)).checkpoint
                names[kept.name] = kept.index
            assert names.keys() == {"a", "b"}
            await run.checkpoint_stored(names["b"])
            kept = (await until(events, StepCheckpoint)).checkpoint
            assert kept.name == "after b"
            for index in (names["a"], kept.index):
                await run.checkpoint_stored(index)
            assert (await until(events, RunFinished)).status == "ok"


async def test_an_agent_waits_for_each_of_its_steps(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    asks = openai.chat(None, tool_calls=[openai.chat_call("call-1", "find", "{}")])
    answers = [Answer.of_json(asks), Answer.of_json(openai.chat("done"))]
    async with fake_vendor(Answer.of_json("x")) as server, fake_vendor(*answers) as vendor:
        tool = HttpTool("find", "", {"type": "object"}, "GET", server.url)
        asked = replace(agent(tools=(tool,)), api_key="sk-key", base_url=vendor.url, durable=True)
        calls = []
        async with going(engine.client(), asked) as (run, events):
            for _ in range(4):
                kept = (await until(events, StepCheckpoint)).checkpoint
                calls.append((kept.name, len(vendor.requests), len(server.requests)))
                await run.checkpoint_stored(kept.index)
            assert (await until(events, RunFinished)).output == "done"
    assert calls == [("render", 0, 0), ("model", 1, 0), ("tool: find", 1, 1), ("model", 2, 1)]


async def test_a_run_whose_connection_breaks_is_left_to_another_engine(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    answer, hold = Answer.of_json("held").held_after(0)
    async with fake_vendor(answer) as server:
        steps = [call("held", server.url), call("next", server.url)]
        async with going(engine.client(), replace(workflow(steps), durable=True)) as (run, _):
            await asyncio.wait_for(hold.reached.wait(), WAIT_SECONDS)
        await asyncio.wait_for(server.hung_up.wait(), WAIT_SECONDS)
        state = await until_state(prefect_server, run.flow_run_id, "Crashed")
        assert state["message"] == BROKE
        assert len(server.requests) == 1


async def test_a_waiting_run_is_left_as_well(
    prefect_server: PrefectServer,
) -> None:
    with running_engine(prefect_server.api_url, prefect_server.auth, concurrency=1) as engine:
        await engine.client().wait_ready(READY_SECONDS)
        async with held_model() as model, going(engine.client(), model.request) as (_, events):
            waiting = replace(model.request, durable=True)
            async with prepared(engine.client(), waiting) as run:
                await run.go()
            state = await until_state(prefect_server, run.flow_run_id, "Crashed")
            assert state["message"] == BROKE
            model.hold.release()
            assert (await until(events, RunFinished)).status == "ok"


async def test_a_run_that_waits_for_storage_can_be_cancelled(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    async with going(engine.client(), replace(request(), durable=True)) as (run, events):
        await until(events, StepFinished)
        await run.cancel("Ada")
        end = await until(events, RunFinished)
    assert (end.state, end.cancelled_by) == ("cancelled", "Ada")
    await until_state(prefect_server, run.flow_run_id, "Cancelled")


async def test_another_engine_continues_the_run_of_a_killed_one(
    prefect_server: PrefectServer,
) -> None:
    at = prefect_server.api_url, prefect_server.auth
    kept: list[Checkpoint] = []
    async with fake_vendor(Answer.of_json("x")) as server, AsyncExitStack() as stack:
        names = ["a", "b", "c", "d"]
        asked = replace(workflow([call(name, server.url) for name in names]), durable=True)
        engine = stack.enter_context(running_engine(*at))
        for _ in range(2):
            held, hold = Answer.of_json("held").held_after(0)
            server.answers(Answer.of_json("x"), held)
            await engine.client().wait_ready(READY_SECONDS)
            resumed = replace(asked, checkpoints=tuple(kept))
            async with going(engine.client(), resumed) as (run, events):
                kept.append((await until(events, StepCheckpoint)).checkpoint)
                await run.checkpoint_stored(kept[-1].index)
                await asyncio.wait_for(hold.reached.wait(), WAIT_SECONDS)
                engine.process.kill()
                engine.process.wait()
            engine = stack.enter_context(running_engine(*at, predecessor=engine))
            await until_state(prefect_server, run.flow_run_id, "Crashed")
        server.answers(Answer.of_json("x"))
        await engine.client().wait_ready(READY_SECONDS)
        # The run need no longer be durable.
        resumed = replace(asked, checkpoints=tuple(kept), durable=False)
        record = await run_to_end(engine.client(), resumed)
        calls = Counter(seen.path for seen in server.requests)
    assert record.result == RunFinished("ok", '"x"')
    assert [step.name for step in record.steps if step.reused] == ["a", "b"]
    # Only the steps that were in progress are executed twice.
    assert calls == {"/a": 1, "/b": 2, "/c": 2, "/d": 1}
