"""Cancelled runs: the steps in progress stop at once, and Prefect shows it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

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
from harness.held_model import ANSWER, held_model
from harness.otlp import otlp_collector
from harness.prefect_runs import flow_run, task_runs, until_state
from harness.prefect_server import PrefectServer, frozen
from harness.processes import WAIT_SECONDS, eventually
from harness.tcp_gate import tcp_gate
from harness.vendors import Answer, FakeVendor, fake_vendor, openai
from promptops_flows.definitions.workflow import parse_steps
from promptops_flows.protocol.engine_client import (
    Began,
    RunEvent,
    RunFinished,
    RunRequest,
    StepFinished,
)
from promptops_flows.steps.http_tools import HttpTool
from promptops_flows.steps.plans import WorkflowPlan
from promptops_flows.steps.step import Step
from promptops_flows.steps.targets import DefinitionTarget
from promptops_flows.steps.workflow import RunWorkflow
from promptops_flows.telemetry.text_policy import TextPolicy

BY = "ada@promptops.example"
CANCELLED = RunFinished(
    "error", error=f"the run was cancelled by {BY}", state="cancelled", cancelled_by=BY
)


async def rest(events: AsyncIterator[RunEvent]) -> tuple[list[tuple[str, str]], RunFinished]:
    """The results of the remaining steps, and of the run."""
    async with asyncio.timeout(WAIT_SECONDS):
        left = [event async for event in events]
    assert isinstance(left[-1], RunFinished)
    steps = [(event.name, event.state) for event in left if isinstance(event, StepFinished)]
    return steps, left[-1]


async def shows_cancelled(
    server: PrefectServer, flow_run_id: str, message: str = f"Cancelled by {BY}"
) -> None:
    def look() -> bool:
        state = flow_run(server, flow_run_id)["state"]
        return (state["name"], state["message"]) == ("Cancelled", message)

    await asyncio.to_thread(eventually, look)


async def hung_up(vendor: FakeVendor) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        await vendor.hung_up.wait()


def in_inner_run(step: dict[str, Any], **access: Any) -> RunRequest:
    """A run of a workflow within a workflow."""
    inner = parse_steps([step, {"name": "next", "type": "transform", "op": "upper"}])
    run = RunWorkflow(DefinitionTarget("inner-cancelled"), None, inner)
    return replace(request([]), plan=WorkflowPlan((Step("sub", run),)), **access)


async def test_a_running_step_is_stopped_and_no_other_begins(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    answer, hold = Answer.of_json(openai.chat(ANSWER)).held_after(0)
    async with fake_vendor(answer) as vendor:
        model = {"type": "model", "provider": "openai", "model": "m"}
        asked = request([{"name": "held", **model}, {"name": "after", **model}])
        asked = replace(asked, api_key="sk-key", base_url=vendor.url)
        async with going(engine.client(), asked) as (run, events):
            await asyncio.wait_for(hold.reached.wait(), WAIT_SECONDS)
            await run.cancel(BY)
            await run.cancel("another one")
            assert await rest(events) == ([("held", "Cancelled")], CANCELLED)
        await hung_up(vendor)
        assert len(vendor.requests) == 1
    await shows_cancelled(prefect_server, run.flow_run_id)
    (task,) = task_runs(prefect_server, run.flow_run_id, 1)
    assert (task["name"], task["state_name"]) == ("held", "Cancelled")
    assert task["state"]["message"] == f"Cancelled by {BY}"


async def test_redacted_texts_are_not_in_the_message(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    async with held_model() as model:
        asked = replace(model.request, texts=TextPolicy(kinds=("email",)))
        async with going(engine.client(), asked) as (run, events):
            await model.is_asked()
            await run.cancel(BY)
            _, end = await rest(events)
    assert end == CANCELLED
    await shows_cancelled(prefect_server, run.flow_run_id, "Cancelled by [redacted:email]")
    (task,) = task_runs(prefect_server, run.flow_run_id, 1)
    assert BY not in str(task)


async def test_a_waiting_run_is_cancelled_at_once(prefect_server: PrefectServer) -> None:
    with running_engine(prefect_server.api_url, prefect_server.auth, concurrency=1) as engine:
        client = engine.client()
        await client.wait_ready(READY_SECONDS)
        async with (
            held_model() as model,
            going(client, model.request) as (_, first),
            prepared(client, model.request) as waiting,
        ):
            await model.is_asked()
            await waiting.go()
            await waiting.cancel(BY)
            assert await rest(waiting.events()) == ([], CANCELLED)
            model.hold.release()
            assert (await rest(first))[1] == RunFinished("ok", ANSWER)
            # Its slot is free again.
            assert (await run_to_end(client, model.request)).result.status == "ok"
        await shows_cancelled(prefect_server, waiting.flow_run_id)


async def test_a_run_stops_at_once_while_prefect_is_down(prefect_server: PrefectServer) -> None:
    port = int(prefect_server.api_url.split(":")[2].split("/")[0])
    async with tcp_gate(port) as gate:
        url = f"http://127.0.0.1:{gate.port}/api"
        with running_engine(url, prefect_server.auth) as engine:
            await engine.client().wait_ready(READY_SECONDS)
            async with (
                held_model() as model,
                going(engine.client(), model.request) as (run, events),
            ):
                await model.is_asked()
                await gate.shut()
                await run.cancel(BY)
                assert await rest(events) == ([("held", "Cancelled")], CANCELLED)
            assert flow_run(prefect_server, run.flow_run_id)["state_name"] == "Running"
            await gate.open()
            await shows_cancelled(prefect_server, run.flow_run_id)
            engine.process.terminate()
            assert await asyncio.to_thread(engine.exit_code) == 0


async def test_a_run_that_a_frozen_prefect_delays_ends_at_once(
    prefect_server: PrefectServer,
) -> None:
    with running_engine(prefect_server.api_url, prefect_server.auth) as engine:
        await engine.client().wait_ready(READY_SECONDS)
        async with held_model() as model, prepared(engine.client(), model.request) as run:
            with frozen(prefect_server):
                await run.go()
                events = run.events()
                assert isinstance(await anext(events), Began)
                await run.cancel(BY)
                assert await rest(events) == ([], CANCELLED)
            await shows_cancelled(prefect_server, run.flow_run_id)
            assert not model.hold.reached.is_set()


async def test_a_step_that_waits_for_its_retry_is_stopped(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    busy = Answer.of_json({}, 503, retry_after="600")
    async with fake_vendor(busy) as server:
        step = {"name": "call", "type": "http", "url": server.url, "retries": 2}
        async with going(engine.client(), workflow([step])) as (run, events):

            def waits() -> bool:
                filters = {"flow_runs": {"id": {"any_": [run.flow_run_id]}}}
                with prefect_server.client() as prefect:
                    runs = prefect.post("task_runs/filter", json=filters).json()
                return [task["state_name"] for task in runs] == ["AwaitingRetry"]

            await asyncio.to_thread(eventually, waits)
            await run.cancel(BY)
            assert await rest(events) == ([("call", "Cancelled")], CANCELLED)
        assert len(server.requests) == 1
    (task,) = task_runs(prefect_server, run.flow_run_id, 1)
    assert task["state_name"] == "Cancelled"


async def test_no_further_item_of_a_map_begins(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    answer, hold = Answer.of_json("held").held_after(0)
    async with fake_vendor(Answer.of_json("first"), answer) as server:
        inner = {"type": "http", "url": server.url}
        step = {"name": "all", "type": "map", "over": "{{list}}", "width": 1, "step": inner}
        asked = workflow([step], variables={"list": list(range(100))})
        async with going(engine.client(), asked) as (run, events):
            await asyncio.wait_for(hold.reached.wait(), WAIT_SECONDS)
            await run.cancel(BY)
            assert await rest(events) == ([("all", "Cancelled")], CANCELLED)
        await hung_up(server)
        assert len(server.requests) == 2


async def test_an_inner_run_ends_with_the_run_around_it(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    async with held_model() as model:
        asked = in_inner_run(model.step, **model.access)
        async with going(engine.client(), asked) as (run, events):
            await model.is_asked()
            await run.cancel(BY)
            steps, end = await rest(events)
    assert end == CANCELLED
    assert sorted(steps) == [("sub", "Cancelled"), ("sub / held", "Cancelled")]
    with prefect_server.client() as client:
        body = {"flow_runs": {"parent_flow_run_id": {"any_": [run.flow_run_id]}}}
        (inner,) = client.post("flow_runs/filter", json=body).raise_for_status().json()
    await shows_cancelled(prefect_server, inner["id"])
    (task,) = task_runs(prefect_server, inner["id"], 1)
    assert task["state_name"] == "Cancelled"


async def test_an_inner_run_does_not_wait_for_a_frozen_prefect(
    prefect_server: PrefectServer,
) -> None:
    with running_engine(prefect_server.api_url, prefect_server.auth) as engine:
        await engine.client().wait_ready(READY_SECONDS)
        async with held_model() as model:
            asked = in_inner_run(model.step, **model.access)
            async with going(engine.client(), asked) as (run, events):
                await model.is_asked()
                with frozen(prefect_server):
                    await run.cancel(BY)
                    _, end = await rest(events)
                assert end == CANCELLED
        await shows_cancelled(prefect_server, run.flow_run_id)


async def test_an_expression_that_never_ends_is_stopped(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    step = {"name": "long", "type": "transform", "op": "jinja", "expression": endless}
    async with going(engine.client(), workflow([step])) as (run, events):
        await run.cancel(BY)
        assert await rest(events) == ([("long", "Cancelled")], CANCELLED)
    # The worker is replaced.
    short = {"name": "short", "type": "transform", "op": "jinja", "expression": "{{ 1 + 1 }}"}
    assert (await run_to_end(engine.client(), workflow([short]))).result.output == "2"


async def test_an_agent_is_stopped_within_its_tool(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    answer, hold = Answer.of_json("sunny").held_after(0)
    asks = openai.chat(None, tool_calls=[openai.chat_call("call-1", "weather", "{}")])
    async with fake_vendor(answer) as server, fake_vendor(Answer.of_json(asks)) as vendor:
        tool = HttpTool("weather", "", {"type": "object"}, "GET", server.url)
        asked = replace(agent(tools=(tool,)), api_key="sk-key", base_url=vendor.url)
        async with going(engine.client(), asked) as (run, events):
            await asyncio.wait_for(hold.reached.wait(), WAIT_SECONDS)
            await run.cancel(BY)
            steps, end = await rest(events)
        await hung_up(server)
        assert len(vendor.requests) == 1
    assert end == CANCELLED
    assert steps[-1] == ("tool: weather", "Cancelled")
    await shows_cancelled(prefect_server, run.flow_run_id)


async def test_simultaneous_cancel_and_completion_give_one_result(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)

    async def ended(turns: int) -> tuple[str, RunFinished]:
        async with held_model() as model:
            async with going(engine.client(), model.request) as (run, events):
                await model.is_asked()
                model.hold.release()
                for _ in range(turns):
                    await asyncio.sleep(0)
                await run.cancel(BY)
                left = [event async for event in events]
            ends = [event for event in left if isinstance(event, RunFinished)]
            assert len(ends) == 1
            return run.flow_run_id, ends[0]

    for turns in range(0, 24, 2):
        flow_run_id, end = await ended(turns)
        assert end in (CANCELLED, RunFinished("ok", ANSWER))
        name = "Completed" if end.status == "ok" else "Cancelled"

        await until_state(prefect_server, name, flow_run_id)


async def test_a_cancel_after_the_end_changes_nothing(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    async with prepared(engine.client(), request()) as run:
        await run.go()
        await until_state(prefect_server, "Completed", run.flow_run_id)
        # Before the result is read.
        for _ in range(10):
            await run.cancel(BY)
            await run.checkpoint_stored(1)
        _, end = await rest(run.events())
    assert end.status == "ok"
    assert flow_run(prefect_server, run.flow_run_id)["state_name"] == "Completed"


async def test_traces_say_that_a_run_was_cancelled(prefect_server: PrefectServer) -> None:
    at = prefect_server.api_url, prefect_server.auth
    with otlp_collector() as collector:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        with running_engine(*at, environment=environment) as engine:
            await engine.client().wait_ready(READY_SECONDS)
            async with (
                held_model() as model,
                going(engine.client(), model.request) as (run, events),
            ):
                await model.is_asked()
                await run.cancel(BY)
                await rest(events)
            ended = await asyncio.to_thread(collector.span_named, "invoke_workflow greeting")
            step = await asyncio.to_thread(collector.span_named, "step model")
        assert BY not in str([*collector.bodies])
    assert (ended.attributes["error.type"], step.attributes["error.type"]) == (
        "run_cancelled",
        "step_stopped",
    )
