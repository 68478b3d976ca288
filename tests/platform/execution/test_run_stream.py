"""A run as a client follows it, who may be slow."""

from promptops_flows.protocol.engine_client import StepDelta, StepFinished, StepStarted
from promptops_platform.execution.run_stream import MOST_WAITING, RunStream

STARTED = "2030-01-01T00:00:00+00:00"


async def events_of_stream(stream: RunStream) -> list[tuple[str, object]]:
    stream.end()
    return [(event.name, event.data) async for event in stream.events()]


async def test_pieces_that_wait_are_joined_by_step() -> None:
    stream = RunStream()
    for index, text in ((2, "a"), (2, "b"), (4, "c")):
        stream.happened(StepDelta(index, text))
    assert await events_of_stream(stream) == [
        ("delta", {"step": 2, "text": "ab"}),
        ("delta", {"step": 4, "text": "c"}),
    ]


async def test_the_text_of_another_attempt_is_told_apart() -> None:
    stream = RunStream()
    for text, attempt in (("half", 1), ("who", 2), ("le", 2)):
        stream.happened(StepDelta(2, text, attempt))
    assert await events_of_stream(stream) == [
        ("delta", {"step": 2, "text": "half"}),
        ("delta", {"step": 2, "text": "whole", "attempt": 2}),
    ]


async def test_what_waits_is_bounded_and_what_is_left_out_is_said() -> None:
    stream = RunStream()
    for _ in range(3):
        stream.happened(StepDelta(2, "x" * (MOST_WAITING // 2)))
        stream.happened(StepDelta(2, "y"))
    (name, data), *rest = await events_of_stream(stream)
    assert name == "delta"
    assert isinstance(data, dict)
    assert len(data["text"]) <= MOST_WAITING
    assert rest == [("skipped", {"step": 2})]


async def test_tools_are_told_of_and_other_steps_are_not() -> None:
    stream = RunStream()
    stream.happened(StepStarted(1, "render", "render", STARTED))
    stream.happened(StepStarted(3, "tool: t", "tool", STARTED, '{"a":1}'))
    broken = StepStarted(4, "tool: u", "tool", STARTED, '{"a":[redacted]}')
    stream.happened(broken)
    stream.happened(
        StepFinished(3, "tool: t", "tool", "Failed", STARTED, 1, 1, error="no", input='{"a":1}')
    )
    assert await events_of_stream(stream) == [
        ("tool_call", {"step": 3, "name": "tool: t", "arguments": {"a": 1}}),
        ("tool_call", {"step": 4, "name": "tool: u", "arguments": '{"a":[redacted]}'}),
        ("tool_result", {"step": 3, "name": "tool: t", "output": None, "error": "no"}),
    ]
