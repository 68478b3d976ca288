"""Chat Completions, as OpenAI and as servers that imitate it speak it."""

from typing import Any

import pytest

from harness.vendors import CUT, Answer, FakeVendor, openai
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

KEY = "sk-very-secret-123456"
ASKED = CompletionRequest.of_text("Greet the world")
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = Tool("weather", "The weather of a city", CITY)


def target(vendor: FakeVendor, kind: str = "openai-compatible", model: str = "m-1") -> Target:
    return Target(kind, model, credentials=Credentials(KEY, vendor.url))


async def completed(gateway: Gateway, vendor: FakeVendor, answer: Any) -> Completion:
    vendor.answers(answer if isinstance(answer, Answer) else Answer.of_json(answer))
    return await gateway.complete(ASKED, [target(vendor)])


async def test_an_answer_with_all_that_openai_reports(gateway: Gateway, vendor: FakeVendor) -> None:
    assert await completed(gateway, vendor, openai.chat()) == Completion(
        text="Grüße, 世界!",
        model="gpt-4.1-2025-04-14",
        usage=Usage(19, 10, estimated=False, cached_tokens=8),
        stop_reason="end",
        provider="openai-compatible",
    )
    assert vendor.seen.path == "/v1/chat/completions"
    assert vendor.seen.headers["authorization"] == f"Bearer {KEY}"
    assert vendor.seen.json == {
        "model": "m-1",
        "messages": [{"role": "user", "content": "Greet the world"}],
    }


async def test_a_server_may_leave_out_almost_everything(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    bare = {"choices": [{"message": {"content": "Hello"}}]}
    completion = await completed(gateway, vendor, bare)
    assert (completion.text, completion.model, completion.stop_reason) == ("Hello", "m-1", "end")
    assert completion.usage == Usage(4, 2, estimated=True)


async def test_no_key_is_no_header(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(Answer.of_json(openai.chat()))
    open_server = Target("llm", kind="openai-compatible", credentials=Credentials("", vendor.url))
    completion = await gateway.complete(ASKED, [open_server])
    assert completion.provider == "llm"
    assert "authorization" not in vendor.seen.headers


async def test_content_may_be_a_list_of_parts(gateway: Gateway, vendor: FakeVendor) -> None:
    body = openai.chat()
    body["choices"][0]["message"]["content"] = [{"type": "text", "text": "a"}, {"text": "b"}]
    assert (await completed(gateway, vendor, body)).text == "ab"


@pytest.mark.parametrize(
    ("kind", "limit", "role"),
    [
        ("openai-compatible", "max_tokens", "system"),
        ("openai", "max_completion_tokens", "developer"),
    ],
)
async def test_everything_that_can_be_asked(
    gateway: Gateway, vendor: FakeVendor, kind: str, limit: str, role: str
) -> None:
    vendor.answers(Answer.of_json(openai.chat()))
    request = CompletionRequest(
        messages=(
            Message("system", "Be brief"),
            Message("developer", "In French"),
            Message("user", "The weather?"),
            Message("assistant", "", tool_calls=(ToolCall("c1", "weather", {"city": "Köln"}),)),
            Message("tool", "rain", tool_call_id="c1"),
        ),
        parameters={
            "temperature": 0.5,
            "max_tokens": 9,
            "top_p": 1,
            "stop": ["x"],
            "seed": 4,
            "logit_bias": {"5": 1},
            "user": None,
        },
        tools=(WEATHER,),
        tool_choice="required",
        output_schema=CITY,
    )
    await gateway.complete(request, [target(vendor, kind)])
    call = {"name": "weather", "arguments": '{"city": "K\\u00f6ln"}'}
    function = {"name": "weather", "description": "The weather of a city", "parameters": CITY}
    assert vendor.seen.json == {
        "model": "m-1",
        "messages": [
            {"role": "system", "content": "Be brief"},
            {"role": role, "content": "In French"},
            {"role": "user", "content": "The weather?"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "c1", "type": "function", "function": call}],
            },
            {"role": "tool", "content": "rain", "tool_call_id": "c1"},
        ],
        "temperature": 0.5,
        limit: 9,
        "top_p": 1,
        "stop": ["x"],
        "seed": 4,
        "logit_bias": {"5": 1},
        "tools": [{"type": "function", "function": function}],
        "tool_choice": "required",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": CITY, "strict": True},
        },
    }


async def test_tool_calls(gateway: Gateway, vendor: FakeVendor) -> None:
    calls = [
        openai.chat_call("a", "weather", '{"city":"Köln"}'),
        openai.chat_call("a", "clock", ""),
    ]
    body = openai.chat(None, finish="tool_calls", tool_calls=calls)
    completion = await completed(gateway, vendor, body)
    assert completion.stop_reason == "tool_calls"
    assert completion.tool_calls == (
        ToolCall("a", "weather", {"city": "Köln"}),
        ToolCall("call_2", "clock", {}),
    )


async def test_a_stream_and_its_usage(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(Answer.of_events(openai.CHAT_STREAM))
    pieces, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert pieces == ["Grüße, ", "世界!"]
    assert completion == await completed(gateway, vendor, openai.chat())
    assert vendor.requests[0].json["stream_options"] == {"include_usage": True}
    assert vendor.connections == 1


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
async def test_the_cut_into_chunks_is_no_matter(
    gateway: Gateway, vendor: FakeVendor, size: int
) -> None:
    vendor.answers(Answer.of_events(openai.CHAT_STREAM).in_portions_of(size))
    pieces, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert "".join(pieces) == completion.text == "Grüße, 世界!"


async def test_tool_calls_in_fragments(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(Answer.of_events(openai.CHAT_TOOL_STREAM))
    pieces, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert pieces == []
    assert completion.stop_reason == "tool_calls"
    assert completion.tool_calls == (
        ToolCall("call_a", "weather", {"city": "Köln"}),
        ToolCall("call_b", "clock", {}),
    )


async def test_fragments_without_index_id_or_done(gateway: Gateway, vendor: FakeVendor) -> None:
    calls = [
        {"function": {"name": "weather", "arguments": {"city": "Köln"}}},
        {"function": {"name": "clock", "arguments": '{"zone"'}},
        {"function": {"arguments": ':"CET"}'}},
    ]
    chunks = [{"choices": [{"delta": {"tool_calls": [call]}}]} for call in calls]
    end = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    vendor.answers(Answer.of_events([*chunks, end], done=None))
    _, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert completion.tool_calls == (
        ToolCall("call_1", "weather", {"city": "Köln"}),
        ToolCall("call_2", "clock", {"zone": "CET"}),
    )
    assert (completion.stop_reason, completion.usage.estimated) == ("tool_calls", True)


@pytest.mark.parametrize("done", ["[DONE]", None])
@pytest.mark.parametrize("missing", [1, 2])
async def test_a_last_event_without_its_blank_line(
    gateway: Gateway, vendor: FakeVendor, done: str | None, missing: int
) -> None:
    begun = openai.chat_chunk({"content": "Hello"})
    whole = Answer.of_events([begun, openai.chat_chunk({}, "stop")], done=done)
    vendor.answers(Answer([whole.body[:-missing]], headers=whole.headers))
    pieces, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert (pieces, completion.text) == (["Hello"], "Hello")


WHOLE = Answer.of_events(openai.CHAT_STREAM)
IN_A_CHARACTER = WHOLE.body.index("世".encode()) + 1
IN_AN_EVENT = WHOLE.body.index(b'"delta": {"content": "Gr')


@pytest.mark.parametrize("size", [0, IN_AN_EVENT, IN_A_CHARACTER])
@pytest.mark.parametrize("how", ["cut_after", "ended_after"])
async def test_a_stream_that_breaks_off(
    gateway: Gateway, vendor: FakeVendor, size: int, how: str
) -> None:
    vendor.answers(getattr(WHOLE, how)(size))
    with pytest.raises(errors.StreamCutOffError):
        await collected(gateway.stream(ASKED, [target(vendor)]))


async def test_a_cut_after_the_last_event_is_no_matter(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    vendor.answers(Answer([*WHOLE.parts, CUT], headers=WHOLE.headers))
    _, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert completion.text == "Grüße, 世界!"


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (
            openai.error(401, f"Incorrect API key provided: {KEY}.", "invalid_request_error",
                         "invalid_api_key"),
            errors.AuthenticationError,
            "the API key was refused (Incorrect API key provided: [redacted].)",
        ),
        (
            openai.error(400, "Unsupported value: 'temperature'", "invalid_request_error",
                         "unsupported_value"),
            errors.BadRequestError,
            "the request was refused (Unsupported value: 'temperature')",
        ),
        (
            openai.error(400, "This model's maximum context length is 128000 tokens.",
                         "invalid_request_error", "context_length_exceeded"),
            errors.ContextTooLongError,
            "does not fit into the model's context window",
        ),
        (
            openai.error(400, "the request exceeds the available context size (4096 tokens)",
                         "exceed_context_size_error"),
            errors.ContextTooLongError,
            "4096 tokens",
        ),
        (
            Answer.of_json({"object": "error", "code": 400, "message":
                            "This model's maximum context length is 64 tokens"}, 400),
            errors.ContextTooLongError,
            "64 tokens",
        ),
        (
            openai.error(429, "You exceeded your current quota", "insufficient_quota",
                         "insufficient_quota"),
            errors.QuotaExceededError,
            "quota is used up",
        ),
        (
            openai.error(400, "Your request was rejected", "invalid_request_error",
                         "content_policy_violation"),
            errors.RefusedError,
            "declined to answer (Your request was rejected)",
        ),
        (
            openai.error(503, "The engine is currently overloaded", "server_error"),
            errors.OverloadedError,
            "overloaded",
        ),
        (Answer([b"<html>Bad gateway</html>"], 502), errors.OverloadedError, "overloaded"),
        (Answer.of_json(openai.chat(None, refusal="I can't help")), errors.RefusedError,
         "declined to answer (I can't help)"),
        (Answer.of_json(openai.chat("", finish="content_filter")), errors.RefusedError, ""),
        (Answer.of_json({"choices": []}), errors.MalformedAnswerError, "no message"),
        (Answer.of_json({"error": {"code": 429, "message": "slow"}}), errors.RateLimitedError,
         "slow"),
    ],
)  # fmt: skip
async def test_errors(
    gateway: Gateway,
    vendor: FakeVendor,
    answer: Answer,
    error: type[errors.ProviderError],
    words: str,
) -> None:
    with pytest.raises(errors.ProviderError) as caught:
        await completed(gateway, vendor, answer)
    assert type(caught.value) is error
    assert words in str(caught.value)
    assert str(caught.value).startswith("provider openai-compatible: ")
    assert KEY not in repr(caught.value) + str(caught.value)


async def test_a_rate_limit_says_when_to_come_back(gateway: Gateway, vendor: FakeVendor) -> None:
    answer = openai.error(429, "Rate limit reached", "requests", "rate_limit_exceeded")
    headers = {**answer.headers, **openai.RATE_LIMIT_HEADERS}
    with pytest.raises(errors.RateLimitedError) as caught:
        await completed(gateway, vendor, Answer(answer.parts, 429, headers))
    assert caught.value.retry_after == 72.5


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"error": {"message": "busy", "type": "server_error"}}, errors.OverloadedError),
        ({"error": {"message": "slow down", "code": 429}}, errors.RateLimitedError),
        (
            {"error": {"message": "bad", "type": "invalid_request_error"}},
            errors.BadRequestError,
        ),
        ({"error": "maximum context length reached"}, errors.ContextTooLongError),
    ],
)
async def test_an_error_within_a_stream(
    gateway: Gateway, vendor: FakeVendor, event: Any, error: type[errors.ProviderError]
) -> None:
    vendor.answers(Answer.of_events([*openai.CHAT_STREAM[:2], event]))
    with pytest.raises(errors.ProviderError) as caught:
        await collected(gateway.stream(ASKED, [target(vendor)]))
    assert type(caught.value) is error


async def test_a_refusal_within_a_stream(gateway: Gateway, vendor: FakeVendor) -> None:
    pieces = [openai.chat_chunk({"refusal": text}) for text in ("I can't ", "help")]
    vendor.answers(Answer.of_events([*pieces, openai.chat_chunk({}, "stop")]))
    with pytest.raises(errors.RefusedError, match=r"\(I can't help\)"):
        await collected(gateway.stream(ASKED, [target(vendor)]))


async def test_without_an_address_it_says_so(gateway: Gateway) -> None:
    with pytest.raises(errors.BadRequestError, match="no base URL is set"):
        await gateway.complete(ASKED, [Target("openai-compatible", "m")])


@pytest.mark.parametrize("status", [404, 410, 413, 422])
async def test_the_chain_goes_on_after_a_target_that_is_not_there(
    gateway: Gateway, vendor: FakeVendor, status: int
) -> None:
    vendor.answers(Answer([b"<html>"], status), Answer.of_json(openai.chat()))
    completion = await gateway.complete(ASKED, [target(vendor), target(vendor)])
    assert completion.text == "Grüße, 世界!"
