"""What Gemini refuses, and what it gets wrong."""

from typing import Any

import pytest

from harness.vendors import Answer, FakeVendor, gemini
from harness.vendors.collecting import collected
from promptops_providers import errors
from promptops_providers.gateway import Credentials, Target
from promptops_providers.pooled_gateway import Gateway
from promptops_providers.protocol import (
    Completion,
    CompletionRequest,
)

KEY = "AIzaSyVerySecretKey-0123456789"
ASKED = CompletionRequest.of_text("Greet the world")


def target(vendor: FakeVendor) -> Target:
    return Target("g", "m", kind="gemini", credentials=Credentials(KEY, vendor.url))


async def completed(gateway: Gateway, vendor: FakeVendor, answer: Any) -> Completion:
    vendor.answers(answer if isinstance(answer, Answer) else Answer.of_json(answer))
    return await gateway.complete(ASKED, [target(vendor)])


INVALID = "INVALID_ARGUMENT"
TOO_LONG = "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576)."


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (gemini.error(400, INVALID, f"API key not valid: {KEY}.", gemini.BAD_KEY),
         errors.AuthenticationError, "refused (API key not valid: [redacted].)"),
        (gemini.error(400, INVALID, "API key expired. Please renew."), errors.AuthenticationError,
         "expired"),
        (gemini.error(403, "PERMISSION_DENIED", "was reported as leaked"),
         errors.AuthenticationError, "leaked"),
        (gemini.error(400, INVALID, "Invalid JSON payload received."), errors.BadRequestError,
         "payload"),
        (gemini.error(404, "NOT_FOUND", "models/x is not found"), errors.TargetUnusableError,
         "found"),
        (gemini.error(400, INVALID, TOO_LONG), errors.ContextTooLongError, "1200293"),
        (Answer.of_json([gemini.error_body(400, INVALID, TOO_LONG)], 400),
         errors.ContextTooLongError, "1200293"),
        (gemini.error(429, "RESOURCE_EXHAUSTED", gemini.OVER_QUOTA,
                      gemini.quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
                      gemini.HELP, gemini.RETRY_INFO), errors.QuotaExceededError, "quota"),
        (gemini.error(429, "RESOURCE_EXHAUSTED", gemini.OVER_QUOTA, gemini.HELP),
         errors.QuotaExceededError, "quota"),
        (gemini.error(429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later."),
         errors.RateLimitedError, "try again"),
        (gemini.error(500, "INTERNAL", "An internal error"), errors.OverloadedError, "internal"),
        (gemini.error(503, "UNAVAILABLE", "The model is overloaded."), errors.OverloadedError,
         "overloaded"),
        (gemini.error(504, "DEADLINE_EXCEEDED", "too slow"), errors.ProviderTimeoutError, "slow"),
        (Answer([b"<html>"], 502), errors.OverloadedError, "overloaded"),
        (Answer.of_json(gemini.error_body(503, "UNAVAILABLE", "later")), errors.OverloadedError,
         "later"),
        (Answer.of_json(gemini.BLOCKED), errors.RefusedError, "PROHIBITED_CONTENT"),
        (Answer.of_json(gemini.answer(finish="SAFETY")), errors.RefusedError, "SAFETY"),
        (Answer.of_json(gemini.answer(finish="RECITATION", finishMessage="from a book")),
         errors.RefusedError, "RECITATION: from a book"),
        (Answer.of_json(gemini.answer(finish="MALFORMED_FUNCTION_CALL", finishMessage="f(")),
         errors.MalformedAnswerError, "MALFORMED_FUNCTION_CALL: f("),
        (Answer.of_json(gemini.answer(finish="OTHER")), errors.MalformedAnswerError, "OTHER"),
        (Answer.of_json(gemini.answer(finish=None)), errors.MalformedAnswerError, "no candidate"),
        (Answer.of_json({"candidates": "none"}), errors.MalformedAnswerError, "no candidate"),
        (Answer.of_json(gemini.answer({"functionCall": "f"})), errors.MalformedAnswerError,
         "no name"),
        (Answer.of_json(gemini.answer(gemini.call("", {}))), errors.MalformedAnswerError,
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
    assert str(caught.value).startswith("provider g: ")
    assert KEY not in repr(caught.value) + str(caught.value)


@pytest.mark.parametrize(
    ("details", "seconds"),
    [
        ((gemini.HELP, gemini.RETRY_INFO), 34.074824224),
        ((gemini.HELP,), None),
        (({**gemini.RETRY_INFO, "retryDelay": 5},), None),
    ],
)
async def test_a_rate_limit_says_when_to_come_back(
    gateway: Gateway, vendor: FakeVendor, details: tuple[dict[str, Any], ...], seconds: float | None
) -> None:
    quota = gemini.quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")
    answer = gemini.error(429, "RESOURCE_EXHAUSTED", "Too fast", quota, *details)
    with pytest.raises(errors.RateLimitedError) as caught:
        await completed(gateway, vendor, answer)
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (gemini.error_body(503, "UNAVAILABLE", "overloaded"), errors.OverloadedError),
        (gemini.error_body(429, "RESOURCE_EXHAUSTED", "slow"), errors.RateLimitedError),
        (gemini.error_body(400, INVALID, TOO_LONG), errors.ContextTooLongError),
        (gemini.error_body(400, INVALID, f"no {KEY}"), errors.BadRequestError),
        ({"error": {"message": "unheard of"}}, errors.OverloadedError),
        (gemini.BLOCKED, errors.RefusedError),
        (gemini.answer(finish="SAFETY"), errors.RefusedError),
        (gemini.answer(finish="MALFORMED_RESPONSE"), errors.MalformedAnswerError),
        ([], errors.MalformedAnswerError),
    ],
)
async def test_an_error_within_a_stream(
    gateway: Gateway, vendor: FakeVendor, event: Any, error: type[errors.ProviderError]
) -> None:
    vendor.answers(Answer.of_events([gemini.STREAM[0], event], done=None))
    with pytest.raises(errors.ProviderError) as caught:
        await collected(gateway.stream(ASKED, [target(vendor)]))
    assert type(caught.value) is error
    assert KEY not in str(caught.value)
