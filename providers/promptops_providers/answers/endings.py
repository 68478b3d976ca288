"""Why an answer has ended, in the vendors' words. A word that is not known is no success."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from promptops_providers.errors import (
    MalformedAnswerError,
    OverloadedError,
    ProviderError,
    RefusedError,
)
from promptops_providers.protocol import StopReason, Usage
from promptops_providers.transport.vendor_http import VendorHttp

_REFUSALS = frozenset(
    {
        "blocklist",
        "content_filter",
        "content_filtered",
        "content_policy_violation",
        "escalation",
        "image_prohibited_content",
        "image_recitation",
        "image_safety",
        "language",
        "model_armor",
        "prohibited_content",
        "recitation",
        "refusal",
        "safety",
        "sensitive",
        "spii",
    }
)
# The vendor gave up, which another one may not.
_FAILURES = frozenset(
    {
        "abort",
        "aborted",
        "canceled",
        "cancelled",
        "error",
        "failed",
        "insufficient_system_resource",
        "network_error",
        "server_error",
    }
)


def word_at(value: Mapping[str, Any], name: str) -> str:
    """The word for the end; empty where there is none, and no word that is known where there is
    anything but a text."""
    field = value.get(name)
    if isinstance(field, str):
        return field
    return "" if field is None else f"a {type(field).__name__}"


def stop_reason(
    wire: VendorHttp, word: str, reasons: Mapping[str, StopReason], vendor_words: str = ""
) -> StopReason:
    """What that word means; `known` are the vendor's own for success, in lower case.

    Raises `RefusedError` where the model declined, `OverloadedError` where the vendor gave up, and
    `MalformedAnswerError` for a word that is not known: what came may be a part of an answer.
    """
    lowered = word.lower()
    if lowered in reasons:
        return reasons[lowered]
    details = f"{word}: {vendor_words}" if vendor_words else word
    if lowered in _REFUSALS:
        raise wire.error(RefusedError, vendor_words=details)
    if lowered in _FAILURES:
        raise wire.error(OverloadedError, vendor_words=details)
    raise wire.error(
        MalformedAnswerError,
        "the answer can't be used, because it ended in an unusual way",
        details,
    )


class Spent(Protocol):
    """An answer that knows what was used for it so far."""

    def usage(self) -> Usage | None: ...


@contextmanager
def with_usage_in_errors(answer: Spent) -> Iterator[None]:
    """What a vendor has reported is paid for, also where nothing comes of the answer."""
    try:
        yield
    except ProviderError as error:
        error.usage = answer.usage()
        raise
