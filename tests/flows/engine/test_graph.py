"""Workflows with `needs`, on a real Prefect server."""

import asyncio
from dataclasses import replace
from typing import Any

from harness.engine import READY_SECONDS, EngineProcess, prepared, run_to_end, workflow
from harness.held_model import held_model
from harness.prefect_runs import ended_flow_run, task_runs
from harness.prefect_server import PrefectServer
from harness.vendors import Answer, fake_vendor, openai
from promptops_flows.protocol.engine_client import RunFinished, StepFinished

MODEL: dict[str, Any] = {"type": "model", "provider": "openai", "model": "m-1"}
BUSY = openai.error(503, "busy", "server_error")
ANSWER = Answer.of_json(openai.chat("done"))


def render(name: str, template: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "type": "render", "template": template, **fields}


def tasks(server: PrefectServer, flow_run_id: str, count: int) -> dict[str, dict[str, Any]]:
    """Prefect's task runs by name, once there are so many and all have ended."""
    return {task["name"]: task for task in task_runs(server, flow_run_id, count)}


async def test_a_step_reads_any_output_before_it(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    steps = [
        render("left", "L {{name}}"),
        render("right", "R"),
        render("both ends", "[{{input}}] {{steps.left.output}}", needs=["left", "right"]),
        render("last", '{{steps["both ends"].output}}!{{steps.right.output}}', needs=["both ends"]),
    ]
    record = await run_to_end(engine.client(), workflow(steps))
    assert record.result.output == "[L Ada\n\nR] L Ada!R"
    shown = await asyncio.to_thread(tasks, prefect_server, record.flow_run_id, 4)
    behind = {parent["id"] for parent in shown["both ends"]["task_inputs"]["wait_for"]}
    assert behind == {shown["left"]["id"], shown["right"]["id"]}


async def test_independent_steps_run_in_parallel(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    async with held_model() as model:
        steps = [
            {**model.step, "name": "slow"},
            render("quick", "Q"),
            render("after quick", "{{steps.quick.output}}2", needs=["quick"]),
            render("join", "{{steps.slow.output}} {{input}}", needs=["after quick", "slow"]),
        ]
        asked = replace(workflow(steps), **model.access)
        async with prepared(engine.client(), asked) as run:
            await run.go()
            ended = []
            async for event in run.events():
                if isinstance(event, StepFinished):
                    ended.append(event.name)
                if ended == ["quick", "after quick"]:
                    # Both finished while the other one is still held.
                    model.hold.release()
                if isinstance(event, RunFinished):
                    assert event.output == "the held answer Q2\n\nthe held answer"
    assert ended == ["quick", "after quick", "slow", "join"]


async def test_the_result_is_the_output_that_the_workflow_names(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    steps = [render("a", "A"), render("b", "B")]
    with_output = await run_to_end(engine.client(), workflow(steps, output="a"))
    assert with_output.result.output == "A"
    composed = workflow(steps, output="{{steps.b.output}}-{{steps.a.output}}")
    assert (await run_to_end(engine.client(), composed)).result.output == "B-A"


async def test_after_a_failure_no_step_begins_and_running_ones_end(
    engine: EngineProcess,
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    async with held_model() as model:
        failing = {"name": "bad", "type": "model", "provider": "mock", "model": "mock-fail-refused"}
        steps = [
            {**model.step, "name": "slow", "needs": []},
            failing,
            render("never", "", needs=["slow"]),
        ]
        async with prepared(engine.client(), replace(workflow(steps), **model.access)) as run:
            await run.go()
            ended: dict[str, str] = {}
            async for event in run.events():
                if isinstance(event, StepFinished):
                    ended[event.name] = event.state
                    model.hold.release()
                last = event
    assert ended == {"bad": "Failed", "slow": "Completed"}
    assert isinstance(last, RunFinished)
    assert last.error is not None
    assert last.error.startswith("step 2 (bad): ")


async def test_a_step_is_retried_and_prefect_shows_it(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    step = {"name": "call", **MODEL, "retries": 2}
    wait = openai.error(429, "slow down", "requests", retry_after="0.01")
    async with fake_vendor(wait, ANSWER) as vendor:
        asked = replace(workflow([step]), api_key="sk-key", base_url=vendor.url)
        record = await run_to_end(engine.client(), asked)
    assert record.result.output == "done"
    assert record.steps[0].attempts == 2
    (failure,) = record.steps[0].failures
    assert "too many requests" in failure
    shown = await asyncio.to_thread(tasks, prefect_server, record.flow_run_id, 1)
    assert shown["call"]["run_count"] == 2


async def test_a_permanent_failure_is_not_retried(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    step = {"name": "call", **MODEL, "retries": 5}
    refused = openai.error(401, "bad key", "invalid_request_error")
    async with fake_vendor(refused) as vendor:
        asked = replace(workflow([step]), api_key="sk-key", base_url=vendor.url)
        record = await run_to_end(engine.client(), asked)
    assert record.steps[0].attempts == 1
    assert record.steps[0].failures == (record.steps[0].error,)


async def test_a_time_out_ends_the_step_and_shows_in_prefect(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    async with held_model() as model:
        steps = [{**model.step, "timeout": "100ms"}]
        asked = replace(workflow(steps), **model.access)
        record = await run_to_end(engine.client(), asked)
    assert record.result.error == "step 1 (held): it took longer than its timeout of 0.1 s"
    assert record.steps[0].state == "TimedOut"
    assert record.result.state == "failed"
    shown = await asyncio.to_thread(tasks, prefect_server, record.flow_run_id, 1)
    assert shown["held"]["state_name"] == "TimedOut"


async def test_a_time_out_of_the_workflow_ends_it_and_its_steps(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    async with held_model() as model:
        asked = replace(workflow([model.step], timeout="200ms"), **model.access)
        record = await run_to_end(engine.client(), asked)
    assert record.result.error == "the run took longer than its timeout of 0.2 s"
    assert record.result.state == "timed_out"
    state = ended_flow_run(prefect_server, record.flow_run_id)["state"]
    assert (state["type"], state["name"], state["message"]) == (
        "FAILED",
        "TimedOut",
        record.result.error,
    )
    assert [(step.name, step.state) for step in record.steps] == [("held", "Cancelled")]


async def test_a_run_continues_with_the_default_of_a_failed_step(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    failing = {
        "name": "call",
        "type": "model",
        "model": "mock-fail-rate-limited",
        "continue_on_error": True,
        "default": {"items": ["none"]},
    }
    steps = [failing, render("show", "{{steps.call.output.items[0]}} of {{input}}")]
    record = await run_to_end(engine.client(), workflow(steps))
    assert record.result.output == 'none of {"items":["none"]}'
    assert [step.state for step in record.steps] == ["Failed", "Completed"]


async def test_a_missing_path_fails_the_step(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    steps = [render("a", "text"), render("b", "{{steps.a.output.items[3]}}")]
    record = await run_to_end(engine.client(), workflow(steps))
    assert record.result.error == (
        "step 2 (b): 'steps.a.output.items[3]' doesn't exist: there is no 'items'"
    )
