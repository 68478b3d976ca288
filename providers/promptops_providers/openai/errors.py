"""How OpenAI, and the many servers that speak its Chat Completions, describe errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptops_providers.answers.failures import ErrorClass, class_for_status
from promptops_providers.errors import (
    AuthenticationError,
    BadRequestError,
    ContextTooLongError,
    OverloadedError,
    QuotaExceededError,
    RateLimitedError,
    RefusedError,
    TargetUnusableError,
)
from promptops_providers.transport.vendor_http import message_of

# By `code` or `type`.
_KNOWN: Mapping[str, ErrorClass] = {
    "authentication_error": AuthenticationError,
    "invalid_api_key": AuthenticationError,
    "invalid_request_error": BadRequestError,
    "model_not_found": TargetUnusableError,
    "context_length_exceeded": ContextTooLongError,
    "exceed_context_size_error": ContextTooLongError,
    "billing_hard_limit_reached": QuotaExceededError,
    "insufficient_quota": QuotaExceededError,
    "rate_limit_error": RateLimitedError,
    "rate_limit_exceeded": RateLimitedError,
    "content_filter": RefusedError,
    "content_policy_violation": RefusedError,
    "invalid_prompt": RefusedError,
    "overloaded_error": OverloadedError,
    "server_error": OverloadedError,
    "server_is_overloaded": OverloadedError,
    "slow_down": OverloadedError,
}
# Servers without a code for it say it in words.
_TOO_LONG = re.compile(
    r"(maximum|available|exceed\w*|longer than)\b.{0,60}\bcontext\b|context (length|window|size)",
    re.IGNORECASE | re.DOTALL,
)


def says_too_long(message: str) -> bool:
    """Whether the words are those of a prompt that does not fit."""
    return _TOO_LONG.search(message[:1000]) is not None


def classify(status: int, body: Mapping[str, Any]) -> ErrorClass | None:
    inner = body.get("error", body)
    described = inner if isinstance(inner, Mapping) else {}
    code, kind = described.get("code"), described.get("type")
    for name in (code, kind):
        # The general type says less than the words may.
        if isinstance(name, str) and name in _KNOWN and _KNOWN[name] is not BadRequestError:
            return _KNOWN[name]
    if (status == 200 or 400 <= status < 500) and says_too_long(message_of(body)):
        return ContextTooLongError
    if status == 200 and isinstance(code, int) and 400 <= code < 600:
        return class_for_status(code)
    return BadRequestError if status == 200 and kind == "invalid_request_error" else None
