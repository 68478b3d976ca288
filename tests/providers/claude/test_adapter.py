"""The Messages API of Claude."""

import asyncio
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
    TextDelta,
    ToolCall,
    Usage,
)

KEY = "sk-ant-api03-very-secret"
ASKED = CompletionRequest.of_text("Greet the world")


def target(vendor: FakeVendor) -> Target:
    credentials = Credentials(KEY, vendor.url)
    return Target("my-claude", "claude-sonnet-5-5", kind="claude", credentials=credentials)


async def completed(gateway: Gateway, vendor: FakeVendor, answer: Any) -> Completion:
    vendor.answers(answer if isinstance(answer, Answer) else Answer.of_json(answer))
    return await gateway.complete(ASKED, [target(vendor)])


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


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("stop_sequence", "stop_sequence"),
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


async def test_cancelling_hangs_up(gateway: Gateway, vendor: FakeVendor) -> None:
    answer, hold = Answer.of_events(claude.STREAM, done=None).held_after(4)
    vendor.answers(answer)
    reading = asyncio.create_task(collected(gateway.stream(ASKED, [target(vendor)])))
    await hold.reached.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
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
    whole, cut = completion.tool_calls
    assert whole == ToolCall("toolu_01A", "clock", {})
    assert (cut.id, cut.arguments) == ("toolu_01B", {})
    assert "its limit of tokens" in cut.problem
    kept = completion.vendor_data["claude"]["content"]
    assert [block.get("input") for block in kept] == [None, {}, {}]


@pytest.mark.parametrize(
    ("text", "problem"),
    [('{"city', "are not JSON"), ("[]", "are a JSON list"), ("null", "")],
)
async def test_arguments_that_are_no_object(
    gateway: Gateway, vendor: FakeVendor, text: str, problem: str
) -> None:
    events = [claude.begin(), *claude.call_block(0, "t", "weather", text), *claude.end("tool_use")]
    vendor.answers(Answer.of_events(events, done=None))
    _, completion = await collected(gateway.stream(ASKED, [target(vendor)]))
    (call,) = completion.tool_calls
    assert (call.name, call.arguments, bool(call.problem)) == ("weather", {}, bool(problem))
    assert problem in call.problem


WHOLE = Answer.of_events(claude.TOOL_STREAM, done=None)


@pytest.mark.parametrize("how", ["cut_after", "ended_after"])
async def test_a_stream_that_breaks_off_anywhere(
    gateway: Gateway, vendor: FakeVendor, how: str
) -> None:
    # The last two bytes are the line ends after the last event, which may be missing.
    for size in (*range(0, len(WHOLE.body) - 3, 13), len(WHOLE.body) - 3):
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
        (claude.error(404, "not_found_error", "model: claude-9"), errors.TargetUnusableError,
         "model:"),
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
