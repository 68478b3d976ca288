"""The Messages API of Claude."""

from contextlib import aclosing
from typing import Any

import pytest

from harness.vendors import CUT, Answer, FakeVendor, claude
from harness.vendors.collecting import collected
from promptops_providers import errors
from promptops_providers.gateway import Credentials, Target
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import (
    Completion,
    CompletionRequest,
    Message,
    TextDelta,
    Tool,
    ToolCall,
    ToolChoice,
    Usage,
)

KEY = "sk-ant-api03-very-secret"
ASKED = CompletionRequest.of_text("Greet the world")
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = Tool("weather", "The weather of a city", CITY)
CLOCK = Tool("clock", "The time", {"type": "object", "properties": {}})


def target(vendor: FakeVendor, model: str = "claude-sonnet-5-5", base: str = "") -> Target:
    credentials = Credentials(KEY, vendor.url + base)
    return Target("my-claude", model, kind="claude", credentials=credentials)


async def completed(gateway: Gateway, vendor: FakeVendor, answer: Any) -> Completion:
    vendor.answers(answer if isinstance(answer, Answer) else Answer.of_json(answer))
    return await gateway.complete(ASKED, [target(vendor)])


async def sent(
    gateway: Gateway, vendor: FakeVendor, request: CompletionRequest, model: str = "claude-opus-5-5"
) -> Any:
    vendor.answers(Answer.of_json(claude.message()))
    await gateway.complete(request, [target(vendor, model)])
    return vendor.seen.json


async def test_an_answer_with_all_that_claude_reports(gateway: Gateway, vendor: FakeVendor) -> None:
    assert await completed(gateway, vendor, claude.message()) == Completion(
        text="Grüße, 世界!",
        model="claude-sonnet-5-5",
        usage=Usage(2121, 12, estimated=False, cached_tokens=2000),
        stop_reason="end",
        provider="my-claude",
    )
    assert vendor.seen.path == "/v1/messages"
    assert vendor.seen.headers["x-api-key"] == KEY
    assert vendor.seen.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in vendor.seen.headers
    assert vendor.seen.json == {
        "model": "claude-sonnet-5-5",
        "max_tokens": 32_000,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Greet the world"}]}],
    }


@pytest.mark.parametrize("base", ["", "/", "/v1", "/v1/"])
async def test_the_base_url_may_end_in_the_version(
    gateway: Gateway, vendor: FakeVendor, base: str
) -> None:
    vendor.answers(Answer.of_json(claude.message()))
    await gateway.complete(ASKED, [target(vendor, base=base)])
    assert vendor.seen.path == "/v1/messages"


async def test_without_a_model_it_is_the_default(gateway: Gateway, vendor: FakeVendor) -> None:
    assert (await sent(gateway, vendor, ASKED, ""))["model"] == "claude-sonnet-5-5"


async def test_everything_that_can_be_asked(gateway: Gateway, vendor: FakeVendor) -> None:
    request = CompletionRequest(
        messages=(
            Message("system", "Be brief"),
            Message("user", "Hello"),
            Message("user", "Are you there?"),
            Message("assistant", "Yes"),
            Message("developer", "In French"),
            Message("user", "The weather?"),
        ),
        parameters={
            "temperature": 0.5,
            "max_tokens": 9,
            "top_p": 1,
            "stop": "x",
            "seed": 4,
            "top_k": 5,
            "output_config": {"effort": "low"},
            "metadata": None,
        },
        tools=(WEATHER,),
        output_schema=CITY,
    )
    assert await sent(gateway, vendor, request) == {
        "model": "claude-opus-5-5",
        "max_tokens": 9,
        "system": "Be brief\n\nIn French",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Hello"},
                    {"type": "text", "text": "Are you there?"},
                ],
            },
            {"role": "assistant", "content": [{"type": "text", "text": "Yes"}]},
            {"role": "user", "content": [{"type": "text", "text": "The weather?"}]},
        ],
        "temperature": 0.5,
        "top_p": 1,
        "top_k": 5,
        "stop_sequences": ["x"],
        "tools": [
            {"name": "weather", "description": "The weather of a city", "input_schema": CITY}
        ],
        "tool_choice": {"type": "auto"},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": CITY}},
    }


async def test_empty_text_is_not_sent(gateway: Gateway, vendor: FakeVendor) -> None:
    messages = (Message("system", ""), Message("user", " "), Message("assistant", ""))
    request = CompletionRequest((*messages, Message("user", "Hello")))
    body = await sent(gateway, vendor, request)
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]
    assert "system" not in body


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("claude-opus-5-5", 32_000),
        ("claude-3-5-haiku-20241022", 8_192),
        ("claude-3-haiku-20240307", 4_096),
        ("claude-opus-4-1", 32_000),
        ("of-another-vendor", 32_000),
    ],
)
async def test_the_limit_that_claude_demands(
    gateway: Gateway, vendor: FakeVendor, model: str, limit: int
) -> None:
    assert (await sent(gateway, vendor, ASKED, model))["max_tokens"] == limit


@pytest.mark.parametrize(
    ("model", "choice", "sent_choice", "told"),
    [
        ("claude-sonnet-4-6", "required", "any", False),
        ("claude-opus-4-5-20251101", "required", "any", False),
        ("claude-haiku-4-5", "required", "any", False),
        ("claude-sonnet-5", "required", "any", False),
        ("of-another-vendor", "required", "any", False),
        ("claude-sonnet-5-5", "required", "auto", True),
        ("claude-haiku-5-5", "required", "auto", True),
        ("claude-fable-5-2", "required", "auto", True),
        ("claude-opus-6", "required", "auto", True),
        ("claude-sonnet-5-5", "none", "none", False),
        ("claude-sonnet-5-5", "auto", "auto", False),
    ],
)
async def test_newer_models_are_told_to_call_a_tool_instead_of_forced(
    gateway: Gateway,
    vendor: FakeVendor,
    model: str,
    choice: ToolChoice,
    sent_choice: str,
    told: bool,
) -> None:
    request = CompletionRequest(ASKED.messages, tools=(CLOCK,), tool_choice=choice)
    body = await sent(gateway, vendor, request, model)
    assert body["tool_choice"] == {"type": sent_choice}
    assert ("at least one of the tools" in body.get("system", "")) is told


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        ("claude-sonnet-5-5", {"type": "object", "additionalProperties": {"type": "string"}}),
        ("claude-3-haiku-20240307", CITY),
        ("claude-sonnet-4-20250514", CITY),
        ("claude-opus-4-1", CITY),
    ],
)
async def test_a_schema_that_cannot_be_enforced_is_told(
    gateway: Gateway, vendor: FakeVendor, model: str, schema: dict[str, Any]
) -> None:
    request = CompletionRequest(ASKED.messages, output_schema=schema)
    body = await sent(gateway, vendor, request, model)
    assert "output_config" not in body
    assert "JSON" in body["system"]
    assert '"type": "object"' in body["system"]


async def test_tool_calls_and_their_results(gateway: Gateway, vendor: FakeVendor) -> None:
    asked = (Message("user", "The weather?"),)
    vendor.answers(Answer.of_json(claude.TOOL_MESSAGE), Answer.of_json(claude.message()))
    completion = await gateway.complete(
        CompletionRequest(asked, tools=(WEATHER, CLOCK)), [target(vendor)]
    )
    assert (completion.text, completion.stop_reason) == ("I look.", "tool_calls")
    assert completion.tool_calls == (
        ToolCall("toolu_01A", "weather", {"city": "Köln"}),
        ToolCall("toolu_01B", "clock", {}),
    )
    answered = (
        *asked,
        completion.as_message(),
        Message("tool", "rain", tool_call_id="toolu_01A"),
        Message("tool", "", tool_call_id="toolu_01B"),
    )
    await gateway.complete(CompletionRequest(answered, tools=(WEATHER, CLOCK)), [target(vendor)])
    _, called, results = vendor.seen.json["messages"]
    assert called == {"role": "assistant", "content": claude.TOOL_MESSAGE["content"]}
    assert results == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "toolu_01A", "content": "rain"},
            {"type": "tool_result", "tool_use_id": "toolu_01B", "content": ""},
        ],
    }
    later = CompletionRequest(
        (*answered, Message("assistant", "Rain"), Message("user", "And now?"))
    )
    turns = (await sent(gateway, vendor, later))["messages"]
    assert [block["type"] for block in turns[1]["content"]] == ["text", "tool_use", "tool_use"]


async def test_ids_of_another_provider_become_unique(gateway: Gateway, vendor: FakeVendor) -> None:
    def step(call_id: str) -> tuple[Message, Message]:
        call = ToolCall(call_id, "clock", {})
        return Message("assistant", "", (call,)), Message("tool", "noon", tool_call_id=call_id)

    request = CompletionRequest(
        (*ASKED.messages, *step("call_1"), *step("call_1"), *step("c:1")), tools=(CLOCK,)
    )
    turns = (await sent(gateway, vendor, request))["messages"][1:]
    called = [turn["content"][0]["id"] for turn in turns[::2]]
    assert [turn["content"][0]["tool_use_id"] for turn in turns[1::2]] == called
    assert called[0] == "call_1"
    assert len(set(called)) == 3
    assert ":" not in "".join(called)


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("stop_sequence", "stop_sequence"),
        ("pause_turn", "end"),
    ],
)
async def test_stop_reasons(gateway: Gateway, vendor: FakeVendor, stop: str, reason: str) -> None:
    assert (await completed(gateway, vendor, claude.message(stop=stop))).stop_reason == reason


async def test_a_stream_is_the_same_answer(gateway: Gateway, vendor: FakeVendor) -> None:
    vendor.answers(Answer.of_events(claude.STREAM, done=None))
    pieces, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert vendor.seen.json["stream"] is True
    assert pieces == ["Grüße, ", "世界!"]
    assert completion == await completed(gateway, vendor, claude.message())
    assert vendor.connections == 1


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
async def test_streamed_tool_calls_in_any_portions(
    gateway: Gateway, vendor: FakeVendor, size: int
) -> None:
    vendor.answers(Answer.of_events(claude.TOOL_STREAM, done=None).in_portions_of(size))
    pieces, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert pieces == ["I look."]
    assert completion == await completed(gateway, vendor, claude.TOOL_MESSAGE)


async def test_a_piece_is_passed_on_before_the_next(gateway: Gateway, vendor: FakeVendor) -> None:
    answer, hold = Answer.of_events(claude.STREAM, done=None).held_after(4)
    vendor.answers(answer)
    async with aclosing(gateway.stream(ASKED, [target(vendor)])) as events:
        assert await anext(events) == TextDelta("Grüße, ")
        hold.release()
        assert await anext(events) == TextDelta("世界!")


async def test_giving_up_a_stream_hangs_up(gateway: Gateway, vendor: FakeVendor) -> None:
    answer, _ = Answer.of_events(claude.STREAM, done=None).held_after(4)
    vendor.answers(answer)
    async with aclosing(gateway.stream(ASKED, [target(vendor)])) as events:
        await anext(events)
    await vendor.hung_up.wait()


async def test_arguments_cut_short_by_the_limit(gateway: Gateway, vendor: FakeVendor) -> None:
    events = [
        claude.begin(),
        *claude.thinking_block(0),
        *claude.call_block(1, "toolu_01A", "clock", "{}"),
        *claude.call_block(2, "toolu_01B", "weather", '{"city": "K'),
        *claude.end("max_tokens"),
    ]
    vendor.answers(Answer.of_events(events, done=None))
    _, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert completion.stop_reason == "length"
    assert completion.tool_calls == (ToolCall("toolu_01A", "clock", {}),)
    kept = completion.vendor_data["claude"]["content"]
    assert [block["type"] for block in kept] == ["thinking", "tool_use"]


@pytest.mark.parametrize("text", ['{"city', "[]", "null"])
async def test_arguments_that_are_no_object(
    gateway: Gateway, vendor: FakeVendor, text: str
) -> None:
    events = [claude.begin(), *claude.call_block(0, "t", "weather", text), *claude.end("tool_use")]
    vendor.answers(Answer.of_events(events, done=None))
    with pytest.raises(errors.MalformedAnswerError):
        await collected(gateway.stream(ASKED, [target(vendor)]))


WHOLE = Answer.of_events(claude.TOOL_STREAM, done=None)


@pytest.mark.parametrize("how", ["cut_after", "ended_after"])
async def test_a_stream_that_breaks_off_anywhere(
    gateway: Gateway, vendor: FakeVendor, how: str
) -> None:
    # The very last byte is the end of the line that ends the last event.
    for size in (*range(0, len(WHOLE.body) - 1, 13), len(WHOLE.body) - 1):
        vendor.answers(getattr(WHOLE, how)(size))
        with pytest.raises(errors.StreamCutOffError):
            await collected(gateway.stream(ASKED, [target(vendor)]))


async def test_a_cut_after_the_last_event_is_no_matter(
    gateway: Gateway, vendor: FakeVendor
) -> None:
    vendor.answers(Answer([*WHOLE.parts, CUT], headers=WHOLE.headers))
    _, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    assert completion.text == "I look."


LIMIT = "You have reached your specified API usage limits. You will regain access on 2027-01-01."


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (claude.error(401, "authentication_error", f"invalid x-api-key {KEY}"),
         errors.AuthenticationError, "refused (invalid x-api-key [redacted])"),
        (claude.error(403, "permission_error", "no access"), errors.AuthenticationError, "no acc"),
        (claude.error(400, "invalid_request_error", 'tool_choice: type "any" is not supported'),
         errors.BadRequestError, "tool_choice"),
        (claude.error(404, "not_found_error", "model: claude-9"), errors.BadRequestError, "model:"),
        (claude.error(400, "invalid_request_error",
                      "prompt is too long: 1000123 tokens > 1000000 maximum"),
         errors.ContextTooLongError, "1000123 tokens"),
        (claude.error(400, "invalid_request_error", "input length and `max_tokens` exceed context "
                      "limit: 199000 + 8000 > 200000"), errors.ContextTooLongError, "199000"),
        (claude.error(413, "request_too_large", "Request exceeds the maximum size"),
         errors.ContextTooLongError, "maximum size"),
        (claude.error(400, "invalid_request_error", "Your credit balance is too low to access the "
                      "Anthropic API."), errors.QuotaExceededError, "credit balance"),
        (claude.error(402, "billing_error", "payment failed"), errors.QuotaExceededError, "pay"),
        (claude.error(400, "invalid_request_error", LIMIT), errors.QuotaExceededError, "regain"),
        (claude.error(429, "rate_limit_error", LIMIT), errors.QuotaExceededError, "regain"),
        (claude.error(429, "rate_limit_error", "per-minute rate limit"), errors.RateLimitedError,
         "per-minute"),
        (claude.error(500, "api_error", "Internal server error"), errors.OverloadedError, "Inter"),
        (claude.error(529, "overloaded_error", "Overloaded"), errors.OverloadedError, "(Overl"),
        (claude.error(504, "timeout_error", "timed out"), errors.ProviderTimeoutError, "timed"),
        (claude.error(200, "overloaded_error", "Overloaded"), errors.OverloadedError, "(Overl"),
        (Answer([b"<html>"], 529), errors.OverloadedError, "overloaded"),
        (Answer.of_json(claude.REFUSAL), errors.RefusedError, "could enable cyber harm"),
        (Answer.of_json(claude.message(stop="refusal")), errors.RefusedError, "declined"),
        (Answer.of_json({"content": "text"}), errors.MalformedAnswerError, "no content"),
        (Answer.of_json(claude.message("text")), errors.MalformedAnswerError, "not an object"),
        (Answer.of_json(claude.message(stop=None)), errors.MalformedAnswerError, "no stop reason"),
        (Answer.of_json(claude.message(claude.call("t", "clock", []))),
         errors.MalformedAnswerError, "object of arguments"),
        (Answer.of_json(claude.message(claude.call("t", "", {}))), errors.MalformedAnswerError,
         "no name"),
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
    assert str(caught.value).startswith("provider my-claude: ")
    assert KEY not in repr(caught.value) + str(caught.value)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "17"}, 17.0),
        (
            {
                "date": "Wed, 25 Nov 2026 12:00:00 GMT",
                "anthropic_ratelimit_requests_remaining": "0",
                "anthropic_ratelimit_requests_reset": "2026-11-25T12:00:42Z",
            },
            42.0,
        ),
        ({}, None),
    ],
)
async def test_a_rate_limit_says_when_to_come_back(
    gateway: Gateway, vendor: FakeVendor, headers: dict[str, str], seconds: float | None
) -> None:
    with pytest.raises(errors.RateLimitedError) as caught:
        await completed(gateway, vendor, claude.error(429, "rate_limit_error", "slow", **headers))
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("kind", "message", "error"),
    [
        ("overloaded_error", "Overloaded", errors.OverloadedError),
        ("rate_limit_error", "slow down", errors.RateLimitedError),
        ("invalid_request_error", "prompt is too long: 3 > 2", errors.ContextTooLongError),
        ("api_error", f"the key was {KEY}", errors.OverloadedError),
        ("an_error_of_tomorrow", "", errors.OverloadedError),
    ],
)
async def test_an_error_within_a_stream(
    gateway: Gateway,
    vendor: FakeVendor,
    kind: str,
    message: str,
    error: type[errors.ProviderError],
) -> None:
    event = ("error", {"type": "error", "error": {"type": kind, "message": message}})
    vendor.answers(Answer.of_events([*claude.STREAM[:4], event], done=None))
    with pytest.raises(errors.ProviderError) as caught:
        await collected(gateway.stream(ASKED, [target(vendor)]))
    assert type(caught.value) is error
    assert KEY not in str(caught.value)


async def test_a_refusal_within_a_stream(gateway: Gateway, vendor: FakeVendor) -> None:
    end = claude.end("refusal", stop_details=claude.REFUSAL["stop_details"])
    vendor.answers(Answer.of_events([*claude.STREAM[:4], *end], done=None))
    with pytest.raises(errors.RefusedError, match="could enable cyber harm"):
        await collected(gateway.stream(ASKED, [target(vendor)]))


@pytest.mark.parametrize(
    "event",
    [
        {"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta", "text": "a"}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}},
        {"type": "content_block_start", "index": 0, "content_block": None},
        {"type": "message_start"},
        [],
    ],
)
async def test_events_out_of_order(gateway: Gateway, vendor: FakeVendor, event: Any) -> None:
    vendor.answers(Answer.of_events([claude.begin(), event, *claude.end("end_turn")], done=None))
    with pytest.raises(errors.MalformedAnswerError):
        await collected(gateway.stream(ASKED, [target(vendor)]))


async def test_without_usage_it_is_estimated(gateway: Gateway, vendor: FakeVendor) -> None:
    completion = await completed(gateway, vendor, claude.message(usage=None))
    assert completion.usage == Usage(4, 3, estimated=True)
