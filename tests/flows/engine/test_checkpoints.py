"""Steps whose checkpoints a run reuses are not executed, and cost nothing."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from harness.engine import READY_SECONDS, EngineProcess, RunRecord, agent, run_to_end, workflow
from harness.prefect_runs import task_runs
from harness.prefect_server import PrefectServer
from harness.vendors import Answer, FakeVendor, fake_vendor, openai
from promptops_flows.protocol.engine_client import RunRequest, StepFinished
from promptops_flows.steps.agent import RunAgent
from promptops_flows.steps.http_tools import HttpTool
from promptops_flows.steps.plans import AgentPlan, WorkflowPlan
from promptops_flows.steps.step import Step
from promptops_flows.steps.targets import DefinitionTarget
from promptops_flows.steps.workflow import RunWorkflow

MODEL: dict[str, Any] = {"type": "model", "provider": "openai", "model": "m-1"}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
NEVER = Answer.of_json({"error": "not to be asked"}, 500)


def render(name: str, template: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "type": "render", "template": template, **fields}


async def ran(engine: EngineProcess, asked: RunRequest, vendor: FakeVendor) -> RunRecord:
    await engine.client().wait_ready(READY_SECONDS)
    asked = replace(asked, api_key="sk-key", base_url=vendor.url)
    return await run_to_end(engine.client(), asked)


def reused(record: RunRecord) -> list[str]:
    return [step.name for step in record.steps if step.reused]


def by_name(record: RunRecord) -> dict[str, StepFinished]:
    return {step.name: step for step in record.steps}


def of_agent() -> RunRequest:
    """A workflow of one step that runs an agent."""
    plan = agent().plan
    assert isinstance(plan, AgentPlan)
    step = Step("call", RunAgent(DefinitionTarget("an-agent"), plan=plan))
    return replace(workflow([]), plan=WorkflowPlan((step,)))


def of_workflow() -> RunRequest:
    """A workflow of one step that runs another."""
    inner = workflow([{"name": "inner", **MODEL}]).plan
    assert isinstance(inner, WorkflowPlan)
    step = Step("call", RunWorkflow(DefinitionTarget("a-workflow"), None, inner))
    return replace(workflow([]), plan=WorkflowPlan((step,)))


def of(step: dict[str, Any], show: str = "{{input}}") -> RunRequest:
    """A workflow of that step, which calls the vendor, and one that shows its output."""
    return workflow(
        [{"name": "call", **step}, render("show", show)], variables={"list": ["a", "b"]}
    )


MAP = {"type": "map", "over": "{{list}}", "step": MODEL}


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (of(MODEL), '{"n": 7}'),
        (of({**MODEL, "output_schema": SCHEMA}, "n is {{steps.call.output.n}}"), "n is 7"),
        (of(MAP, "{{steps.call.output[1]}}"), '{"n": 7}'),
        (of_agent(), '{"n": 7}'),
        (of_workflow(), '{"n": 7}'),
    ],
    ids=["model", "structured", "map", "agent", "workflow"],
)
async def test_a_step_with_model_calls_is_not_paid_again(
    engine: EngineProcess, prefect_server: PrefectServer, asked: RunRequest, text: str
) -> None:
    async with fake_vendor(Answer.of_json(openai.chat('{"n": 7}'))) as vendor:
        first = await ran(engine, asked, vendor)
        assert first.result.output == text
        assert reused(first) == []
        vendor.answers(NEVER)
        before = len(vendor.requests)
        (checkpoint,) = (kept for kept in first.checkpoints if kept.name == "call")
        again = await ran(engine, replace(asked, checkpoints=(checkpoint,)), vendor)
        assert len(vendor.requests) == before
    assert again.result == first.result
    assert reused(again) == ["call"]
    call, original = by_name(again)["call"], by_name(first)["call"]
    assert (call.state, call.usages, call.attempts) == ("Cached", [None], 1)
    assert (call.output, call.provider, call.items) == (
        original.output,
        original.provider,
        original.items,
    )
    # The checkpoint is stored already; one of an inner step would be useless.
    assert [kept.name for kept in again.checkpoints] == ["show"] * (len(again.steps) - 1)
    shown = await asyncio.to_thread(task_runs, prefect_server, again.flow_run_id, len(again.steps))
    states = {task["name"]: task["state_name"] for task in shown}
    assert states["call"] == "Cached"


async def test_http_and_transform_are_not_executed_again(engine: EngineProcess) -> None:
    async with fake_vendor(Answer.of_json({"items": [{"id": 5}]})) as server:
        steps = [
            {"name": "call", "type": "http", "url": server.url},
            {"name": "ids", "type": "transform", "op": "jmespath", "expression": "items[].id"},
            render("show", "{{steps.ids.output[0]}} {{steps.call.output.items[0].id}}"),
        ]
        first = await ran(engine, workflow(steps), server)
        assert first.result.output == "5 5"
        kept = first.checkpoints
        assert [checkpoint.index for checkpoint in kept] == [1, 2, 3]
        again = await ran(engine, replace(workflow(steps), checkpoints=kept), server)
        assert len(server.requests) == 1
    assert again.result == first.result
    assert reused(again) == ["call", "ids", "show"]


ROUTED = [
    render("start", "go"),
    {
        "name": "route",
        "type": "branch",
        "when": "input == 'go'",
        "then": ["x"],
        "else": ["y"],
        "needs": ["start"],
    },
    {"name": "x", **MODEL, "needs": ["route"]},
    {"name": "y", **MODEL, "needs": ["route"]},
    render("join", "({{input}})", needs=["x", "y"]),
]


async def test_a_branch_repeats_its_decision(
    engine: EngineProcess,
) -> None:
    async with fake_vendor(Answer.of_json(openai.chat("X"))) as vendor:
        first = await ran(engine, workflow(ROUTED), vendor)
        assert first.result.output == "(X)"
        assert [kept.name for kept in first.checkpoints] == ["start", "route", "x", "join"]
        vendor.answers(NEVER)
        again = await ran(engine, replace(workflow(ROUTED), checkpoints=first.checkpoints), vendor)
    assert again.result == first.result
    assert reused(again) == ["start", "route", "x", "join"]
    assert (by_name(again)["y"].state, by_name(again)["y"].reused) == ("Skipped", False)


@pytest.mark.parametrize("other", [{"index": 2}, {"name": "other"}, {"type": "http"}])
async def test_a_checkpoint_of_another_step_is_not_used(
    engine: EngineProcess, other: dict[str, Any]
) -> None:
    async with fake_vendor(Answer.of_json(openai.chat("fine"))) as vendor:
        first = await ran(engine, of(MODEL), vendor)
        kept = (replace(first.checkpoints[0], **other),)
        again = await ran(engine, replace(of(MODEL), checkpoints=kept), vendor)
        assert len(vendor.requests) == 2
    assert (again.result, reused(again)) == (first.result, [])


async def test_only_the_failed_step_is_executed_again(
    engine: EngineProcess,
) -> None:
    steps = [{"name": name, **MODEL} for name in ("a", "b")]
    refused = openai.error(401, "bad key", "invalid_request_error")
    async with fake_vendor(Answer.of_json(openai.chat("A")), refused) as vendor:
        first = await ran(engine, workflow(steps), vendor)
        assert first.result.state == "failed"
        assert [kept.name for kept in first.checkpoints] == ["a"]
        vendor.answers(Answer.of_json(openai.chat("B")))
        again = await ran(engine, replace(workflow(steps), checkpoints=first.checkpoints), vendor)
        assert len(vendor.requests) == 3
        assert vendor.seen.json["messages"][-1]["content"] == "A"
    assert again.result.output == "B"
    assert reused(again) == ["a"]


def tools(url: str) -> tuple[HttpTool, ...]:
    schema = {"type": "object"}
    return tuple(HttpTool(name, "", schema, "GET", f"{url}/{name}") for name in ("good", "bad"))


ASKS = openai.chat(
    "let me see",
    tool_calls=[openai.chat_call("call-1", "good", "{}"), openai.chat_call("call-2", "bad", "{}")],
)


async def test_an_agent_continues_after_its_last_completed_step(engine: EngineProcess) -> None:
    failing = openai.error(401, "bad key", "invalid_request_error")
    async with (
        fake_vendor(Answer.of_json(ASKS), failing) as vendor,
        fake_vendor(Answer.of_json("sunny"), Answer.of_json({}, 404)) as server,
    ):
        asked = agent(tools=tools(server.url))
        first = await ran(engine, asked, vendor)
        assert first.result.state == "failed"
        names = [step.name for step in first.steps]
        assert sorted(names) == ["model", "model", "render", "tool: bad", "tool: good"]
        conversation = vendor.seen.json["messages"]
        results = {message["content"] for message in conversation if message["role"] == "tool"}
        vendor.answers(Answer.of_json(openai.chat("It is sunny")))
        again = await ran(engine, replace(asked, checkpoints=first.checkpoints), vendor)
        # One model call, and no tool.
        assert (len(vendor.requests), len(server.requests)) == (3, 2)
        assert vendor.seen.json["messages"] == conversation
    assert again.result.output == "It is sunny"
    assert len(results) == 2
    assert sorted(reused(again)) == ["model", "render", "tool: bad", "tool: good"]
    steps = by_name(again)
    assert (steps["tool: bad"].state, steps["tool: good"].state) == ("Failed", "Cached")
    assert steps["tool: bad"].error == by_name(first)["tool: bad"].error
    assert again.result.agent is not None
    assert [turn["role"] for turn in again.result.agent["turns"]] == [
        "user",
        "assistant",
        "tool",
        "tool",
        "assistant",
    ]


async def test_vendor_data_is_sent_back_to_the_model(engine: EngineProcess) -> None:
    asks = openai.chat(None, tool_calls=[openai.chat_call("call-1", "good", '{"q": "x"}')])
    asks["choices"][0]["message"]["reasoning_content"] = "hidden thoughts"
    failing = openai.error(401, "bad key", "invalid_request_error")
    async with (
        fake_vendor(Answer.of_json(asks), failing) as vendor,
        fake_vendor(Answer.of_json("sunny")) as server,
    ):
        asked = agent(tools=tools(server.url))
        first = await ran(engine, asked, vendor)
        conversation = vendor.seen.json["messages"]
        (kept,) = (kept for kept in first.checkpoints if kept.type == "model")
        assert kept.completion is not None
        assert "hidden thoughts" in str(kept.completion.vendor_data)
        assert kept.completion.tool_calls[0].arguments == {"q": "x"}
        vendor.answers(Answer.of_json(openai.chat("done")))
        again = await ran(engine, replace(asked, checkpoints=first.checkpoints), vendor)
        assert vendor.seen.json["messages"] == conversation
    assert again.result.output == "done"


async def test_a_completed_agent_calls_no_model(engine: EngineProcess) -> None:
    asked = agent(output_schema=SCHEMA)
    answers = [Answer.of_json(openai.chat(text)) for text in ("no JSON", '{"n": 1}')]
    async with fake_vendor(*answers) as vendor:
        first = await ran(engine, asked, vendor)
        again = await ran(engine, replace(asked, checkpoints=first.checkpoints), vendor)
        assert len(vendor.requests) == 2
    assert first.result.output == '{"n": 1}'
    assert again.result == first.result
    assert reused(again) == ["render", "model", "model"]


async def test_a_tolerated_failure_is_not_executed_again(
    engine: EngineProcess,
) -> None:
    policy = {"continue_on_error": True, "default": "none", "retries": 1}
    asked = workflow([{"name": "call", **MODEL, **policy}, render("show", "{{input}}!")])
    async with fake_vendor(NEVER) as vendor:
        first = await ran(engine, asked, vendor)
        assert first.result.output == "none!"
        calls = len(vendor.requests)
        again = await ran(engine, replace(asked, checkpoints=first.checkpoints), vendor)
        assert len(vendor.requests) == calls
    assert again.result == first.result
    assert reused(again) == ["call", "show"]
    call, original = by_name(again)["call"], by_name(first)["call"]
    assert (call.state, call.error, call.attempts) == ("Failed", original.error, 1)
