import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from promptops_providers.errors import (
    AuthenticationError,
    BadRequestError,
    ContextTooLongError,
    MalformedAnswerError,
    OverloadedError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitedError,
    RefusedError,
    StreamCutOffError,
    UnreachableError,
)
from promptops_providers.mock.adapter import MockProvider
from promptops_providers.protocol import (
    Completion,
    CompletionRequest,
    Message,
    Provider,
    StreamEnd,
    StreamEvent,
    TextDelta,
    Tool,
    ToolCall,
    Usage,
)

FAILURES = {
    "mock-fail-authentication-failed": AuthenticationError,
    "mock-fail-bad_request": BadRequestError,
    "mock-fail-context-too-long": ContextTooLongError,
    "mock-fail-refused": RefusedError,
    "mock-fail-quota-exceeded": QuotaExceededError,
    "mock-fail-rate-limited": RateLimitedError,
    "mock-fail-overloaded": OverloadedError,
    "mock-fail-unreachable": UnreachableError,
    "mock-fail-timeout": ProviderTimeoutError,
    "mock-fail-malformed-answer": MalformedAnswerError,
    "mock-fail-stream-cut-off": StreamCutOffError,
}
PROVIDER: Provider = MockProvider()


async def streamed(request: CompletionRequest) -> tuple[list[str], Completion]:
    events = [event async for event in PROVIDER.stream(request)]
    *deltas, end = events
    assert isinstance(end, StreamEnd)
    assert all(isinstance(delta, TextDelta) for delta in deltas)
    return [delta.text for delta in deltas if isinstance(delta, TextDelta)], end.completion


async def collect(stream: AsyncIterator[StreamEvent], pieces: list[str]) -> None:
    async for event in stream:
        assert isinstance(event, TextDelta)
        pieces.append(event.text)


async def test_answers_with_the_first_line_of_the_prompt() -> None:
    completion = await PROVIDER.complete(CompletionRequest.of_text("Hello Ada\nmore\n"))
    assert completion.text == "[mock completion] Hello Ada"
    assert completion.model == "mock-1"
    assert completion.stop_reason == "end"


@pytest.mark.parametrize("prompt", ["", "\n", "  \nsecond"])
async def test_an_empty_first_line_leaves_the_fixed_text(prompt: str) -> None:
    completion = await PROVIDER.complete(CompletionRequest.of_text(prompt))
    assert completion.text == "[mock completion]"


async def test_usage_is_an_estimate_and_says_so() -> None:
    completion = await PROVIDER.complete(CompletionRequest.of_text("12345"))
    assert completion.usage == Usage(prompt_tokens=2, output_tokens=6, estimated=True)


async def test_answers_the_last_user_message_and_counts_them_all() -> None:
    messages = (
        Message("system", "1234"),
        Message("user", "first"),
        Message("assistant", "12345678"),
        Message("user", "second"),
    )
    completion = await PROVIDER.complete(CompletionRequest(messages))
    assert completion.text == "[mock completion] second"
    assert completion.usage.prompt_tokens == 1 + 2 + 2 + 2


async def test_names_the_model_that_was_asked_for() -> None:
    completion = await PROVIDER.complete(CompletionRequest.of_text("a", "gpt-x"))
    assert completion.model == "gpt-x"


async def test_echo_gives_the_whole_prompt() -> None:
    completion = await PROVIDER.complete(CompletionRequest.of_text(" a\nb ", "mock-echo"))
    assert completion.text == " a\nb "


async def test_a_stream_is_the_same_answer_in_pieces() -> None:
    request = CompletionRequest.of_text("a line that is long enough for several pieces")
    pieces, completion = await streamed(request)
    assert len(pieces) > 2
    assert "".join(pieces) == completion.text
    assert completion == await PROVIDER.complete(request)


@pytest.mark.parametrize(("model", "error"), FAILURES.items())
async def test_fails_as_the_model_name_says(model: str, error: type[ProviderError]) -> None:
    with pytest.raises(error) as caught:
        await PROVIDER.complete(CompletionRequest.of_text("a", model))
    assert type(caught.value) is error
    assert caught.value.provider == "mock"
    assert str(caught.value).startswith("provider mock: ")


async def test_only_the_rate_limit_says_when_to_come_back() -> None:
    with pytest.raises(RateLimitedError) as caught:
        await PROVIDER.complete(CompletionRequest.of_text("a", "mock-fail-rate-limited"))
    assert caught.value.retry_after == 1.0
    assert caught.value.retryable


async def test_a_stream_that_is_cut_off_gives_its_beginning_first() -> None:
    pieces: list[str] = []
    request = CompletionRequest.of_text("some text", "mock-fail-stream-cut-off")
    with pytest.raises(StreamCutOffError):
        await collect(PROVIDER.stream(request), pieces)
    assert "".join(pieces) == "[mock comple"


async def test_another_failing_stream_gives_nothing() -> None:
    request = CompletionRequest.of_text("a", "mock-fail-overloaded")
    with pytest.raises(OverloadedError):
        await anext(aiter(PROVIDER.stream(request)))


async def test_an_unknown_failure_is_an_ordinary_model_name() -> None:
    completion = await PROVIDER.complete(CompletionRequest.of_text("a", "mock-fail-whatever"))
    assert completion.text == "[mock completion] a"


async def test_a_slow_model_takes_its_time() -> None:
    request = CompletionRequest.of_text("a", "mock-slow-60ms")
    began = time.perf_counter()
    await PROVIDER.complete(request)
    in_one = time.perf_counter() - began
    pieces, _ = await streamed(request)
    assert in_one >= 0.055
    assert time.perf_counter() - began - in_one >= 0.055
    assert "".join(pieces) == "[mock completion] a"


CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = (Tool("weather", "The weather", CITY), Tool("clock", "The time", {"type": "object"}))


def asking(model: str, *messages: Message, **more: Any) -> CompletionRequest:
    return CompletionRequest((Message("user", "Hello"), *messages), model, **more)


async def test_calls_one_tool_then_answers_with_its_result() -> None:
    asked = asking("mock-tool-weather", tools=TOOLS)
    completion = await PROVIDER.complete(asked)
    assert completion.stop_reason == "tool_calls"
    assert completion.tool_calls == (ToolCall("call_1", "weather", {"city": "city"}),)
    assert (completion.text, (await streamed(asked))[0]) == ("", [])
    result = Message("tool", "rain", tool_call_id="call_1")
    turns = (completion.as_message(), result)
    answer = await PROVIDER.complete(asking("mock-tool-weather", *turns, tools=TOOLS))
    assert (answer.text, answer.stop_reason) == ("[mock completion] weather: rain", "end")
    again = asking("mock-tool-weather", *turns, Message("user", "Again"), tools=TOOLS)
    assert [call.id for call in (await PROVIDER.complete(again)).tool_calls] == ["call_2"]


async def test_calls_every_tool_once() -> None:
    completion = await PROVIDER.complete(asking("mock-tools", tools=TOOLS))
    assert [call.name for call in completion.tool_calls] == ["weather", "clock"]
    results = [Message("tool", call.name, tool_call_id=call.id) for call in completion.tool_calls]
    answer = await PROVIDER.complete(asking("mock-tools", completion.as_message(), *results))
    assert answer.text == "[mock completion] weather: weather; clock: clock"


@pytest.mark.parametrize(
    "more", [{}, {"tools": TOOLS[1:]}, {"tools": TOOLS, "tool_choice": "none"}]
)
async def test_a_tool_that_is_not_given_is_not_called(more: dict[str, Any]) -> None:
    completion = await PROVIDER.complete(asking("mock-tool-weather", **more))
    assert (completion.text, completion.tool_calls) == ("[mock completion] Hello", ())


async def test_answers_in_the_form_that_is_asked_for() -> None:
    completion = await PROVIDER.complete(asking("", output_schema=CITY))
    assert json.loads(completion.text) == {"city": "city"}
    pieces, end = await streamed(asking("", output_schema=CITY))
    assert "".join(pieces) == end.text == completion.text


async def test_no_json_until_it_is_asked_again() -> None:
    first = await PROVIDER.complete(asking("mock-invalid-json", output_schema=CITY))
    assert first.text == "[mock completion] this is not JSON"
    repair = (first.as_message(), Message("user", "Give valid JSON"))
    second = await PROVIDER.complete(asking("mock-invalid-json", *repair, output_schema=CITY))
    assert json.loads(second.text) == {"city": "city"}
    never = await PROVIDER.complete(asking("mock-never-json", *repair, output_schema=CITY))
    assert never.text == first.text


@pytest.mark.parametrize(("model", "count"), [("mock-chunks-1", 23), ("mock-chunks-23", 1)])
async def test_streams_as_many_characters_as_are_asked_for(model: str, count: int) -> None:
    pieces, completion = await streamed(asking(model))
    assert len(pieces) == count
    assert "".join(pieces) == completion.text


async def test_a_slow_start_comes_before_the_first_piece_only() -> None:
    began = time.perf_counter()
    async with aclosing(PROVIDER.stream(asking("mock-slow-start-1000ms"))) as events:
        await anext(events)
        assert time.perf_counter() - began >= 0.99
        first = time.perf_counter()
        rest = [event async for event in events]
        assert len(rest) > 1
        assert time.perf_counter() - first < 0.99 * len(rest)
