"""Ollama's native API."""

from typing import Any

import pytest

from harness.vendors import CUT, Answer, FakeVendor, ollama
from harness.vendors.collecting import collected
from promptops_providers import errors
from promptops_providers.gateway import Credentials, Target
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import (
    Completion,
    CompletionRequest,
    Message,
    Tool,
    ToolCall,
    Usage,
)
from promptops_providers.schema_instructions import schema_instruction

ASKED = CompletionRequest.of_text("Greet the world")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WHOLE = Answer.of_lines(ollama.STREAM)


def target(vendor: FakeVendor, model: str = "") -> Target:
    return Target("ollama", model, credentials=Credentials(base_url=vendor.url))


async def test_an_answer(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(Answer.of_json(ollama.last("Hello")))
    assert await gateway.complete(ASKED, [target(vendor)]) == Completion(
        text="Hello",
        model="llama3.2",
        usage=Usage(26, 298, estimated=False),
        stop_reason="end",
        provider="ollama",
    )
    assert vendor.seen.path == "/api/chat"
    assert vendor.seen.json == {
        "model": "llama3.2",
        "messages": [{"role": "user", "content": "Greet the world"}],
        "stream": False,
    }


async def test_everything_that_can_be_asked(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(Answer.of_json(ollama.last("Hello")))
    request = CompletionRequest(
        messages=(
            Message("developer", "Be brief"),
            Message("user", "The weather?"),
            Message(
                "assistant",
                "",
                (ToolCall("c1", "weather", {"city": "Köln"}),),
                vendor_data={"ollama": {"thinking": "Hm"}, "openai": {"output": []}},
            ),
            Message("tool", "rain", tool_call_id="c1"),
        ),
        parameters={
            "temperature": 0.5,
            "max_tokens": 9,
            "stop": "x",
            "seed": 4,
            "top_p": None,
            "num_ctx": 8192,
            "keep_alive": "1h",
            "options": {"mirostat": 1},
        },
        tools=(Tool("weather", "The weather", SCHEMA),),
        output_schema=SCHEMA,
    )
    await gateway.complete(request, [target(vendor, "qwen3")])
    call = {"id": "c1", "function": {"name": "weather", "arguments": {"city": "Köln"}}}
    function = {"name": "weather", "description": "The weather", "parameters": SCHEMA}
    assert vendor.seen.json == {
        "model": "qwen3",
        "messages": [
            {"role": "system", "content": f"Be brief\n\n{schema_instruction(SCHEMA)}"},
            {"role": "user", "content": "The weather?"},
            {"role": "assistant", "content": "", "thinking": "Hm", "tool_calls": [call]},
            {"role": "tool", "content": "rain", "tool_call_id": "c1", "tool_name": "weather"},
        ],
        "options": {
            "mirostat": 1,
            "temperature": 0.5,
            "num_predict": 9,
            "stop": ["x"],
            "seed": 4,
            "num_ctx": 8192,
        },
        "keep_alive": "1h",
        "tools": [{"type": "function", "function": function}],
        "stream": False,
    }


async def test_a_tool_that_must_not_be_called_is_not_offered(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    vendor.answers(Answer.of_json(ollama.last("Hello")))
    tools = (Tool("weather", "The weather", SCHEMA),)
    await gateway.complete(
        CompletionRequest(ASKED.messages, tools=tools, tool_choice="none"), [target(vendor)]
    )
    assert "tools" not in vendor.seen.json


@pytest.mark.parametrize("size", [None, 1, 3, 50])
async def test_a_stream(gateway: Gateway, vendor: FakeVendor, size: int | None) -> None:
    vendor.answers(WHOLE.in_portions_of(size) if size else WHOLE)
    pieces, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert pieces == ["Grüße, ", "世界!"]
    assert completion.text == "Grüße, 世界!"
    assert completion.usage == Usage(26, 298, estimated=False)
    await collected(gateway.stream(ASKED, [target(vendor)]))
    assert vendor.connections == 1


async def test_the_last_line_may_lack_its_end(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(WHOLE.ended_after(len(WHOLE.body) - 1))
    _, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert completion.text == "Grüße, 世界!"


async def test_tool_calls_in_a_stream(gateway: Gateway, vendor: FakeVendor) -> None:
    calls = [ollama.call("weather", city="Köln"), ollama.call("clock")]
    lines = [
        ollama.chunk("", thinking="Let me "),
        ollama.chunk("", thinking="see"),
        *(ollama.chunk("", tool_calls=[call]) for call in calls),
        ollama.last(),
    ]
    vendor.answers(Answer.of_lines(lines))
    pieces, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert pieces == []
    assert completion.stop_reason == "tool_calls"
    assert completion.tool_calls == (
        ToolCall("call_1", "weather", {"city": "Köln"}),
        ToolCall("call_2", "clock", {}),
    )
    assert completion.vendor_data == {"ollama": {"thinking": "Let me see"}}


async def test_the_end_by_length_and_usage_that_is_missing(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    last = ollama.last("Hello", reason="length")
    del last["prompt_eval_count"]
    vendor.answers(Answer.of_json(last))
    completion = await gateway.complete(ASKED, [target(vendor)])
    assert completion.stop_reason == "length"
    assert completion.usage == Usage(4, 2, estimated=True)


IN_A_CHARACTER = WHOLE.body.index("世".encode()) + 1


@pytest.mark.parametrize("how", ["cut_after", "ended_after"])
@pytest.mark.parametrize("size", [0, 40, IN_A_CHARACTER, WHOLE.body.index(b"\n") + 1])
async def test_a_stream_that_breaks_off(
    gateway: Gateway, vendor: FakeVendor, how: str, size: int
) -> None:
    vendor.answers(getattr(WHOLE, how)(size))
    with pytest.raises(errors.StreamCutOffError):
        await collected(gateway.stream(ASKED, [target(vendor)]))


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (
            Answer.of_json({"error": "model 'x' not found"}, 404),
            errors.TargetUnusableError,
            "refuses such requests (model 'x' not found)",
        ),
        (
            Answer.of_json({"error": "the input length exceeds the context length"}, 400),
            errors.ContextTooLongError,
            "context window",
        ),
        (
            Answer.of_json({"error": "model requires more system memory"}, 500),
            errors.OverloadedError,
            "more system memory",
        ),
        (Answer.of_lines([ollama.chunk("a"), {"error": "x"}]), errors.OverloadedError, "(x)"),
        (Answer.of_lines(["text"]), errors.MalformedAnswerError, "not a JSON object"),
        (Answer.of_lines([{"done": True}]), errors.MalformedAnswerError, "no message"),
        (Answer([b"<html>\n", CUT]), errors.MalformedAnswerError, "not JSON"),
    ],
)
async def test_errors(
    gateway: Gateway, vendor: FakeVendor, answer: Any, error: type[errors.ProviderError], words: str
) -> None:
    vendor.answers(answer)
    with pytest.raises(errors.ProviderError) as caught:
        await collected(gateway.stream(ASKED, [target(vendor)]))
    assert type(caught.value) is error
    assert words in str(caught.value)
