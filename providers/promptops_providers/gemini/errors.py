"""How Gemini describes errors: Google's `Status`, with details by type.

https://ai.google.dev/gemini-api/docs/troubleshooting
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from promptops_providers.answers.failures import ErrorClass, class_for_status, seconds_of
from promptops_providers.answers.json_values import count_at, object_at, objects_at, text_at
from promptops_providers.errors import (
    AuthenticationError,
    ContextTooLongError,
    OverloadedError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitedError,
)
from promptops_providers.transport.vendor_http import message_of

_STATUSES: Mapping[str, ErrorClass] = {
    "UNAUTHENTICATED": AuthenticationError,
    "PERMISSION_DENIED": AuthenticationError,
    "UNAVAILABLE": OverloadedError,
    "INTERNAL": OverloadedError,
    "DEADLINE_EXCEEDED": ProviderTimeoutError,
}
# A refused key is a bad request by its status.
_BAD_KEY = re.compile(r"API key (?:not valid|expired|not found)", re.IGNORECASE)
_TOO_LONG = re.compile(
    r"token count\b.{0,80}\bexceeds|exceeds the maximum number of tokens|context (?:window|length)",
    re.IGNORECASE | re.DOTALL,
)


def classify(status: int, body: Mapping[str, Any]) -> ErrorClass | None:
    error = object_at(body, "error")
    message, code = message_of(body)[:1000], status if status != 200 else count_at(error, "code")
    reasons = {text_at(detail, "reason") for detail in objects_at(error, "details")}
    if "API_KEY_INVALID" in reasons or _BAD_KEY.search(message):
        return AuthenticationError
    if code == 429 or error.get("status") == "RESOURCE_EXHAUSTED":
        return QuotaExceededError if _is_used_up(error, message) else RateLimitedError
    if code in (0, 400) and _TOO_LONG.search(message):
        return ContextTooLongError
    from_status = _STATUSES.get(text_at(error, "status"))
    return from_status or (class_for_status(code) if code else None)


def retry_after(body: Mapping[str, Any]) -> float | None:
    for detail in _details(object_at(body, "error"), "RetryInfo"):
        return seconds_of(text_at(detail, "retryDelay"))
    return None


def _is_used_up(error: Mapping[str, Any], message: str) -> bool:
    """Whether it takes until tomorrow, or money. Limits of a minute say when to come back."""
    quotas = [
        text_at(violation, "quotaId")
        for detail in _details(error, "QuotaFailure")
        for violation in objects_at(detail, "violations")
    ]
    if any("PerDay" in quota for quota in quotas):
        return True
    return "billing" in message and not any(_details(error, "RetryInfo"))


def _details(error: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    for detail in objects_at(error, "details"):
        if text_at(detail, "@type").endswith(f"google.rpc.{kind}"):
            yield detail
