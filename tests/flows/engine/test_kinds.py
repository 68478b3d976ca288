"""Each kind of step in a run, on a real Prefect server."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from harness.engine import READY_SECONDS, EngineProcess, RunRecord, run_to_end, workflow
from harness.prefect_server import PrefectServer
from harness.processes import WAIT_SECONDS
from harness.vendors import Answer, fake_vendor, openai
from promptops_flows.protocol.engine_client import RunRequest, StepFinished
from promptops_flows.steps.agent import RunAgent
from promptops_flows.steps.context import ItemCounts
from promptops_flows.steps.models import ModelChoice
from promptops_flows.steps.plans import AgentPlan, WorkflowPlan
from promptops_flows.steps.workflow import RunWorkflow

ECHO = {"type": "model", "provider": "mock", "model": "mock-echo"}
MODEL: dict[str, Any] = {"type": "model", "provider": "openai", "model": "m-1"}


def render(name: str, template: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "type": "render", "template": template, **fields}


async def ran(engine: EngineProcess, *steps: dict[str, Any], **fields: Any) -> RunRecord:
    await engine.client().wait_ready(READY_SECONDS)
    return await run_to_end(engine.client(), workflow(list(steps), **fields))


async def output(engine: EngineProcess, *steps: dict[str, Any], **fields: Any) -> str | None:
    record = await ran(engine, *steps, **fields)
    return record.result.output or record.result.error


def states(steps: list[StepFinished]) -> dict[str, str]:
    return {step.name: step.state for step in steps}


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ({"op": "json"}, '{"items":[{"n":1},{"n":2}]}'),
        ({"op": "jmespath", "expression": "items[].n"}, "[1,2]"),
        ({"op": "regex", "expression": r'"n": (\d)'}, "1"),
        ({"op": "jinja", "expression": "{{ who }} {{ input[:4] }}"}, "Ada Here"),
    ],
)
async def test_transform(engine: EngineProcess, step: dict[str, Any], text: str) -> None:
    source = render("source", 'Here: {"items": [{"n": 1}, {"n": 2}]} done')
    change = {"name": "change", "type": "transform", **step}
    assert await output(engine, source, change, variables={"who": "Ada"}) == text


async def test_a_too_expensive_expression_fails_only_its_step(engine: EngineProcess) -> None:
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    bad = {"name": "bad", "type": "transform", "op": "jinja", "expression": endless}
    record, other = await asyncio.gather(
        ran(engine, bad), ran(engine, render("a", "fine"), {"type": "transform", "op": "upper"})
    )
    assert record.result.error == (
        "step 1 (bad): the expression took longer than 2 s; simplify it, or work on less at a time"
    )
    assert other.result.output == "FINE"


async def test_model_takes_messages_and_parameters(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    step = {
        **MODEL,
        "system": "Be {{tone}}.",
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Yes?"},
            {"content": "{{steps.ask.output}}"},
        ],
        "params": {"temperature": 0.1},
    }
    async with fake_vendor(Answer.of_json(openai.chat("done"))) as vendor:
        asked = workflow([render("ask", "Why?"), step], variables={"tone": "kind"})
        asked = replace(asked, api_key="sk-key", base_url=vendor.url)
        record = await run_to_end(engine.client(), asked)
    assert record.result.output == "done"
    assert vendor.seen.json["temperature"] == 0.1
    assert [(message["role"], message["content"]) for message in vendor.seen.json["messages"]] == [
        ("system", "Be kind."),
        ("user", "Hi"),
        ("assistant", "Yes?"),
        ("user", "Why?"),
    ]


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


async def with_answers(engine: EngineProcess, *texts: str) -> RunRecord:
    await engine.client().wait_ready(READY_SECONDS)
    step = {"name": "call", **MODEL, "output_schema": SCHEMA}
    show = render("show", "n is {{steps.call.output.n}}")
    async with fake_vendor(*(Answer.of_json(openai.chat(text)) for text in texts)) as vendor:
        asked = replace(workflow([step, show]), api_key="sk-key", base_url=vendor.url)
        return await run_to_end(engine.client(), asked)


async def test_an_answer_is_repaired_once(engine: EngineProcess) -> None:
    record = await with_answers(engine, "none", 'so: {"n": 7}')
    assert record.result.output == "n is 7"
    call = record.steps[0]
    # Both calls cost money.
    assert [usage.prompt_tokens for usage in call.usages if usage] == [19, 19]


async def test_an_answer_that_does_not_match_after_a_repair_fails(engine: EngineProcess) -> None:
    record = await with_answers(engine, "none")
    assert record.result.error is not None
    assert record.result.error.startswith(
        "step 1 (call): the answer does not match output_schema, even after one repair: "
    )


async def test_http_sends_outputs_of_steps_and_parses_json(engine: EngineProcess) -> None:
    answer = Answer.of_json({"items": [{"id": 5}]})
    async with fake_vendor(answer) as server:
        call = {
            "name": "call",
            "type": "http",
            "method": "POST",
            "url": f"{server.url}/v1/{{{{steps.a.output}}}}?q={{{{who}}}}",
            "headers": {"x-who": "{{who}}"},
            "body": {"text": "Hi {{who}}", "all": "{{list}}"},
        }
        show = render("show", "{{steps.call.output.items[0].id}}")
        variables = {"who": "A/B&c", "list": [1, 2]}
        assert await output(engine, render("a", "../x"), call, show, variables=variables) == "5"
    assert server.seen.path == "/v1/..%2Fx?q=A%2FB%26c"
    assert server.seen.headers["x-who"] == "A/B&c"
    assert server.seen.json == {"text": "Hi A/B&c", "all": [1, 2]}


async def test_http_is_retried_if_the_server_is_busy(engine: EngineProcess) -> None:
    busy, good = Answer.of_json({}, 503, retry_after="0"), Answer.of_json("fine")
    async with fake_vendor(busy, good) as server:
        record = await ran(
            engine, {"name": "call", "type": "http", "url": server.url, "retries": 1}
        )
    assert record.result.output == '"fine"'
    assert record.steps[0].failures == ("the server answered HTTP 503: {}",)
    async with fake_vendor(Answer.of_json({}, 404)) as server:
        record = await ran(
            engine, {"name": "call", "type": "http", "url": server.url, "retries": 1}
        )
    assert record.steps[0].attempts == 1


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://10.0.0.1/"])
async def test_http_does_not_call_a_forbidden_address(engine: EngineProcess, url: str) -> None:
    record = await ran(engine, render("a", url), {"type": "http", "url": "{{input}}"})
    host = url.split("/")[2]
    assert record.result.error is not None
    assert record.result.error.startswith(f"step 2 (http): host {host} is ")


BRANCH = {"name": "route", "type": "branch", "when": "kind == 'a'", "then": ["x"], "else": ["y"]}
ROUTED = [
    {**BRANCH, "needs": ["start"]},
    render("start", "go"),
    render("x", "X {{input}}", needs=["route"]),
    render("y", "Y {{input}}", needs=["route"]),
    render("after y", "Y2", needs=["y"]),
    render("join", "({{input}}){{steps.y.output}}", needs=["x", "after y"]),
]


@pytest.mark.parametrize(
    ("kind", "text", "skipped"),
    [("a", "(X go)", {"y", "after y"}), ("b", "(Y2)Y go", {"x"})],
)
async def test_a_branch_skips_the_other_side(
    engine: EngineProcess, kind: str, text: str, skipped: set[str]
) -> None:
    record = await ran(engine, *ROUTED, variables={"kind": kind})
    assert record.result.output == text
    assert {name for name, state in states(record.steps).items() if state == "Skipped"} == skipped


async def test_in_a_plain_list_a_skipped_step_passes_its_input_on(engine: EngineProcess) -> None:
    steps = [render("a", "text"), {**BRANCH, "then": ["x"], "else": None}]
    steps += [{"name": "x", "type": "transform", "op": "upper"}, render("last", "[{{input}}]")]
    assert await output(engine, *steps, variables={"kind": "a"}) == "[TEXT]"
    assert await output(engine, *steps, variables={"kind": "b"}) == "[text]"


MAP = {
    "name": "each",
    "type": "map",
    "over": "{{list}}",
    "as": "who",
    "width": 3,
    "step": render("", "{{index}}:{{who.name}}"),
}


async def test_map_runs_a_step_for_each_item_in_order(engine: EngineProcess) -> None:
    names = [{"name": letter} for letter in "abcdefgh"]
    record = await ran(
        engine, MAP, render("show", "{{steps.each.output[7]}}"), variables={"list": names}
    )
    assert record.result.output == "7:h"
    assert json.loads(record.steps[0].output or "")[0] == "0:a"
    assert record.steps[0].items == ItemCounts(8, 8, 0)
    assert await output(engine, MAP, variables={"list": []}) == "[]"


async def test_map_sums_up_the_usage_of_its_models(engine: EngineProcess) -> None:
    asks = {**MAP, "step": {**ECHO}}
    record = await ran(engine, asks, variables={"list": ["one two", "three"]})
    assert record.result.output == '["one two","three"]'
    (call,) = record.steps[0].spent
    assert (call.provider, call.usage.output_tokens > 1) == ("mock", True)


async def test_a_retry_of_a_map_runs_the_failed_items_only(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    good, busy = Answer.of_json("ok"), Answer.of_json({}, 503, retry_after="0")
    async with fake_vendor(good, busy, good) as server:
        calls = {**MAP, "width": 1, "retries": 1, "step": {"type": "http", "url": server.url}}
        record = await run_to_end(engine.client(), workflow([calls], variables={"list": [1, 2]}))
    assert record.result.output == '["ok","ok"]'
    assert len(server.requests) == 3
    assert record.steps[0].attempts == 2
    assert record.steps[0].failures == (
        "1 of 2 items failed, the first is item 2: the server answered HTTP 503: {}",
    )


async def test_an_item_that_fails_may_have_a_default(engine: EngineProcess) -> None:
    inner = {"type": "transform", "op": "json", "continue_on_error": True, "default": None}
    record = await ran(
        engine, {**MAP, "step": {**inner, "default": [0]}}, variables={"list": ["[1]", "x"]}
    )
    assert record.result.output == "[[1],[0]]"
    assert record.steps[0].items == ItemCounts(2, 1, 1)


async def test_map_refuses_a_hundred_thousand_items_and_other_values(
    engine: EngineProcess,
) -> None:
    record = await ran(engine, MAP, variables={"list": [0] * 100_000})
    assert record.result.error == (
        "step 1 (each): over has 100,000 items, at most 10,000 are allowed; split the list"
    )
    record = await ran(engine, MAP, variables={"list": "text"})
    assert record.result.error == (
        "step 1 (each): over is not a list; use a placeholder of a list, or JSON"
    )
    record = await ran(engine, MAP, variables={})
    assert record.result.error == (
        "step 1 (each): over: nothing fills {{list}}; use a variable, or the output of a "
        "step as {{steps.NAME.output}}"
    )


def with_plan(request: RunRequest, plan: AgentPlan | WorkflowPlan) -> RunRequest:
    """The run; its steps that run others use this plan."""
    assert isinstance(request.plan, WorkflowPlan)
    steps = tuple(
        replace(step, action=replace(step.action, plan=plan))
        if isinstance(step.action, RunAgent | RunWorkflow)
        else step
        for step in request.plan.steps
    )
    return replace(request, plan=replace(request.plan, steps=steps))


INNER = workflow([render("in", "<{{input}}{{extra}}>"), {"type": "transform", "op": "upper"}]).plan
AGENT = AgentPlan(
    prompt=({"role": "user", "content": "Hi {{input}}{{extra}}"},),
    is_chat=False,
    models=(ModelChoice("mock", "mock-echo"),),
)


@pytest.mark.parametrize(
    ("kind", "plan", "text", "inner"),
    [
        ("workflow", INNER, "<GO!>", ["sub / in", "sub / transform"]),
        ("agent", AGENT, "Hi go!", ["sub / render", "sub / model"]),
    ],
)
async def test_an_inner_run_is_a_separate_flow(
    engine: EngineProcess,
    prefect_server: PrefectServer,
    kind: str,
    plan: AgentPlan | WorkflowPlan,
    text: str,
    inner: list[str],
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    step = {"name": "sub", "type": kind, "key": "other", "variables": {"extra": "!"}}
    asked = with_plan(workflow([render("a", "go"), step, render("z", "{{input}}")]), plan)
    record = await run_to_end(engine.client(), asked)
    assert record.result.output == text
    assert sorted(step.name for step in record.steps) == sorted(["a", "sub", "z", *inner])
    assert len({step.index for step in record.steps}) == 5
    assert {step.name for step in record.steps if step.outer == 2} == set(inner)
    with prefect_server.client() as client:
        flows = client.post("flows/filter", json={"flows": {"name": {"any_": ["other"]}}}).json()
        body = {"flows": {"id": {"any_": [flows[0]["id"]]}}}
        runs = client.post("flow_runs/filter", json=body).raise_for_status().json()
    assert {run["state_name"] for run in runs} == {"Completed"}
    assert all(run["parent_task_run_id"] for run in runs)


async def test_a_failing_inner_run_fails_its_step(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    plan = workflow([{"type": "model", "model": "mock-fail-rate-limited"}]).plan
    asked = with_plan(workflow([{"name": "sub", "type": "workflow", "key": "other"}]), plan)
    record = await run_to_end(engine.client(), asked)
    assert record.result.error is not None
    assert record.result.error.startswith("step 1 (sub): other: step 1 (model): provider mock")


async def test_an_output_is_reused_until_it_expires(
    engine: EngineProcess, prefect_server: PrefectServer
) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    async with fake_vendor(Answer.of_json("one"), Answer.of_json("two")) as server:
        call = {"name": "call", "type": "http", "url": f"{server.url}/{{{{q}}}}", "cache": "1h"}
        first, again, other = [
            await run_to_end(engine.client(), workflow([call], variables={"q": q}))
            for q in ("private-text", "private-text", "b")
        ]
    assert [first.result.output, again.result.output] == ['"one"', '"one"']
    assert other.result.output == '"two"'
    assert [run.steps[0].state for run in (first, again, other)] == [
        "Completed",
        "Cached",
        "Completed",
    ]


async def test_steps_with_the_same_key_run_one_at_a_time(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    answer, hold = Answer.of_json("held").held_after(0)
    async with fake_vendor(answer, Answer.of_json("next")) as server:
        call = {"type": "http", "url": server.url, "concurrency": "db", "needs": []}
        steps = [{**call, "name": "a"}, {**call, "name": "b"}, render("c", "free", needs=[])]
        run = asyncio.create_task(run_to_end(engine.client(), workflow(steps)))
        await asyncio.wait_for(hold.reached.wait(), WAIT_SECONDS)
        other = await run_to_end(engine.client(), workflow([render("d", "other run")]))
        assert len(server.requests) == 1
        hold.release()
        record = await run
    assert other.result.output == "other run"
    assert states(record.steps) == {"a": "Completed", "b": "Completed", "c": "Completed"}
    assert len(server.requests) == 2
