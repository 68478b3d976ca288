"""Limits the part of a conversation that a model receives."""

from collections.abc import Sequence

from promptops_flows.definitions.agent import written_message
from promptops_flows.templates.ecmascript import json_text
from promptops_providers.answers.estimates import estimate_tokens
from promptops_providers.protocol import Message


def windowed(messages: Sequence[Message], *, most: int, tokens: int) -> list[Message]:
    """Return the newest messages: at most `most` of them with at most about `tokens`, starting at a
    user's turn.

    A tool's result is never shown without its call, nor a call without all its results, because
    vendors refuse both. Incomplete ones are left out.
    """
    start = len(messages)
    left = tokens
    while start > 0 and len(messages) - start < most:
        left -= tokens_of(messages[start - 1])
        if left < 0:
            break
        start -= 1
    # At a user's turn no call is open: everything before it is complete.
    while start < len(messages) and messages[start].role != "user":
        start += 1
    return list(messages[start:])


def tokens_of(message: Message) -> int:
    """Return an estimate that includes tool calls; the vendor's own data is not counted."""
    calls = written_message(message).get("tool_calls")
    return estimate_tokens(message.content) + (estimate_tokens(json_text(calls)) if calls else 0)
