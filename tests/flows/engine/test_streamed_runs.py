"""The models' texts of a workflow, streamed while they arrive."""

from dataclasses import replace
from typing import Any

from harness.engine import READY_SECONDS, EngineProcess, RunRecord, going, run_to_end, workflow
from harness.vendors import Answer, fake_vendor, openai
from harness.vendors.openai import CHAT_STREAM, chat_chunk, chat_usage
from promptops_flows.protocol.engine_client import RunRequest, StepDelta
from promptops_flows.steps.plans import WorkflowPlan
from promptops_flows.steps.step import Step
from promptops_flows.steps.targets import DefinitionTarget
from promptops_flows.steps.workflow import RunWorkflow

MODEL: dict[str, Any] = {"type": "model", "provider": "openai", "model": "m-1"}
KEY = "sk-a-key-of-the-caller"
SHOW = {"name": "show", "type": "render", "template": "{{input}}"}
STREAMED = Answer.of_events(CHAT_STREAM)


def says(*pieces: str) -> Answer:
    chunks = [chat_chunk({"content": piece}) for piece in pieces]
    return Answer.of_events([*chunks, chat_chunk({}, "stop"), chat_usage()])


async def ran(engine: EngineProcess, asked: RunRequest, *script: Answer) -> RunRecord:
    await engine.client().wait_ready(READY_SECONDS)
    async with fake_vendor(*script) as vendor:
        asked = replace(asked, api_key=KEY, base_url=vendor.url)
        return await run_to_end(engine.client(), asked)


def deltas(record: RunRecord) -> list[tuple[int, str, int]]:
    return [
        (event.index, event.text, event.attempt)
        for event in record.events
        if isinstance(event, StepDelta)
    ]


def texts(record: RunRecord) -> dict[int, str]:
    """The text of each attempt, however it is split."""
    joined: dict[int, str] = {}
    for _, text, attempt in deltas(record):
        joined[attempt] = joined.get(attempt, "") + text
    return joined


async def test_a_piece_is_passed_on_before_the_next_one_arrives(engine: EngineProcess) -> None:
    await engine.client().wait_ready(READY_SECONDS)
    held, hold = STREAMED.held_after(2)
    async with fake_vendor(held) as vendor:
        asked = replace(workflow([{"name": "call", **MODEL}, SHOW]), stream=True)
        asked = replace(asked, api_key=KEY, base_url=vendor.url)
        async with going(engine.client(), asked) as (_, events):
            assert await anext(events) == StepDelta(1, "Grüße, ")
            hold.release()
            assert await anext(events) == StepDelta(1, "世界!")
            left = [event async for event in events]
    assert not [event for event in left if isinstance(event, StepDelta)]


async def test_nothing_is_streamed_by_default(engine: EngineProcess) -> None:
    answer = Answer.of_json(openai.chat("whole"))
    record = await ran(engine, workflow([{"name": "call", **MODEL}]), answer)
    assert (record.result.output, deltas(record)) == ("whole", [])


async def test_a_key_that_the_vendor_repeats_is_not_passed_on(engine: EngineProcess) -> None:
    asked = replace(workflow([{"name": "call", **MODEL}]), stream=True)
    record = await ran(engine, asked, says("it is ", KEY[:9], KEY[9:], " indeed"))
    assert texts(record) == {1: "it is [redacted] indeed"}
    assert record.result.output == "it is [redacted] indeed"
    assert KEY not in repr(record.events)


async def test_the_text_of_another_attempt_starts_again(engine: EngineProcess) -> None:
    cut = says("half an ", "answer").cut_after(280)
    asked = replace(workflow([{"name": "call", **MODEL, "retries": 1}]), stream=True)
    record = await ran(engine, asked, cut, says("a whole one"))
    assert record.result.output == "a whole one"
    assert texts(record) == {1: "half an ", 2: "a whole one"}


async def test_the_text_of_a_repaired_answer_starts_again(engine: EngineProcess) -> None:
    schema = {"type": "object", "required": ["n"]}
    step = {"name": "call", **MODEL, "output_schema": schema}
    asked = replace(workflow([step]), stream=True)
    record = await ran(engine, asked, says("no JSON"), says('{"n": 1}'))
    assert record.result.output == '{"n": 1}'
    assert texts(record) == {1: "no JSON", 2: '{"n": 1}'}


async def test_the_models_of_a_map_and_of_an_inner_run_are_not_streamed(
    engine: EngineProcess,
) -> None:
    step_of_all = {"name": "all", "type": "map", "over": "{{list}}", "step": MODEL}
    answer = Answer.of_json(openai.chat("x"))
    asked = replace(workflow([step_of_all], variables={"list": ["a", "b"]}), stream=True)
    record = await ran(engine, asked, answer)
    assert (record.result.output, deltas(record)) == ('["x","x"]', [])
    inner = workflow([{"name": "call", **MODEL}]).plan
    assert isinstance(inner, WorkflowPlan)
    step = Step("sub", RunWorkflow(DefinitionTarget("inner"), None, inner))
    asked = replace(workflow([]), plan=WorkflowPlan((step,)), stream=True)
    record = await ran(engine, asked, answer)
    assert (record.result.output, deltas(record)) == ("x", [])
