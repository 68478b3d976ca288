"""How a vendor's failed answer is read: the kind of error, its words, and when to come back."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from promptops_providers.answers.redaction import REDACTED, Redactor
from promptops_providers.errors import (
    AuthenticationError,
    BadRequestError,
    ContextTooLongError,
    OverloadedError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitedError,
    RefusedError,
    TargetUnusableError,
)

ErrorClass = type[ProviderError]

_EXCERPT_CHARACTERS = 300
_LONGEST_KEY_CHARACTERS = 20_000
_LONGEST_WAIT_SECONDS = 86_400.0
_LONGEST_HINT_CHARACTERS = 100
# Vendors quote a part of the refused key, masked or not.
_LOOKS_LIKE_A_KEY = re.compile(
    r"\S*\*{3,}\S*|\b(?:sk|pk|rk|xai|gsk|hf)[-_][\w-]{6,}|\bAIza[\w-]{6,}"
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_LONGEST_MESSAGE_CHARACTERS = 2_000
_AMOUNT_PATTERN = (
    r"(\d{1,9}(?:\.\d{1,9})?) ?"
    r"(ms|milliseconds?|seconds?|secs?|s|minutes?|mins?|m|hours?|h|days?|d)(?![a-z])"
)
_AMOUNT = re.compile(_AMOUNT_PATTERN, re.ASCII | re.IGNORECASE)
_WAIT_IN_WORDS = re.compile(
    rf"\b(?:again|retry|wait)\b[^.\d]{{0,30}}((?:{_AMOUNT_PATTERN},? ?(?:and )?){{1,4}})",
    re.ASCII | re.IGNORECASE,
)
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
# The header of what is left, that of when it is refilled (a duration or an RFC 3339 time).
_LIMIT_HEADERS = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
)
_WORDS: Mapping[ErrorClass, str] = {
    AuthenticationError: "the API key was refused",
    BadRequestError: "the request was refused",
    ContextTooLongError: "the prompt does not fit into the model's context window",
    TargetUnusableError: "the model or the address does not exist, or refuses such requests",
    RefusedError: "the model declined to answer",
    QuotaExceededError: "the account's quota is used up",
    RateLimitedError: "too many requests, try again later",
    OverloadedError: "the provider is overloaded, try again later",
    ProviderTimeoutError: "the provider did not answer in time",
}


def class_for_status(status: int) -> ErrorClass:
    """What an HTTP status means without the body; below 400 it tells nothing of the error."""
    classes: dict[int, ErrorClass] = {
        401: AuthenticationError,
        402: QuotaExceededError,
        403: AuthenticationError,
        404: TargetUnusableError,
        408: ProviderTimeoutError,
        410: TargetUnusableError,
        413: ContextTooLongError,
        429: RateLimitedError,
        504: ProviderTimeoutError,
    }
    return classes.get(status, BadRequestError if 400 <= status < 500 else OverloadedError)


def words_for(error: ErrorClass) -> str:
    return _WORDS.get(error, "the provider failed")


def excerpt(text: str, key: str | None) -> str:
    """The beginning of a vendor's own words, on one line, without what is or looks like a key."""
    # Cut first, but so that a key at the edge is still whole when it is looked for.
    near = Redactor([key])(text[: _EXCERPT_CHARACTERS + _LONGEST_KEY_CHARACTERS])
    near = near[: 2 * _EXCERPT_CHARACTERS]
    near = " ".join(_LOOKS_LIKE_A_KEY.sub(REDACTED, near).split())
    shown = "".join(character if character.isprintable() else "\ufffd" for character in near)
    return shown if len(shown) <= _EXCERPT_CHARACTERS else shown[: _EXCERPT_CHARACTERS - 1] + "…"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, by `Retry-After` (seconds or a date) or by the vendors' own headers.

    `headers` is looked up without regard to case, as `httpx.Headers` is.
    """
    now = _as_time(headers.get("date", "")) or datetime.now(UTC)
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    stated = _wait(headers.get("retry-after", ""), now)
    if stated is not None:
        return stated
    waits = [
        _wait(headers.get(reset, ""), now)
        for left, reset in _LIMIT_HEADERS
        if _number(headers.get(left, "")) == 0
    ]
    return max((wait for wait in waits if wait is not None), default=None)


def retry_after_in_words(text: str) -> float | None:
    """Seconds to wait, by words such as `try again in 6.5s` or `retry after 20 seconds`."""
    match = _WAIT_IN_WORDS.search(text[:_LONGEST_MESSAGE_CHARACTERS])
    if match is None:
        return None
    seconds = 0.0
    for amount, unit in _AMOUNT.findall(match[1]):
        name = "ms" if unit.lower() in ("ms", "millisecond", "milliseconds") else unit[0].lower()
        seconds += float(amount) * _UNIT_SECONDS[name]
    return _bounded(seconds)


def seconds_of(text: str) -> float | None:
    """A number of seconds, or a duration such as `20ms`, `1.5s` or `6m0s`."""
    # The patterns take a time that grows faster than the text.
    text = text[:_LONGEST_HINT_CHARACTERS]
    number = _number(text)
    if number is not None:
        return _bounded(number)
    parts = _DURATION.findall(text)
    if not parts or "".join(amount + unit for amount, unit in parts) != text.strip():
        return None
    return _bounded(sum(float(amount) * _UNIT_SECONDS[unit] for amount, unit in parts))


def _wait(text: str, now: datetime) -> float | None:
    seconds = seconds_of(text)
    if seconds is not None:
        return seconds
    when = _as_time(text)
    return None if when is None else _bounded((when - now).total_seconds())


def _as_time(text: str) -> datetime | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            when = read(text[:_LONGEST_HINT_CHARACTERS].strip())
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return when if when.tzinfo else when.replace(tzinfo=UTC)
    return None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS)
