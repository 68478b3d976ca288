"""How much of a conversation a model is shown."""

from collections.abc import Sequence

from promptops_flows.definitions.agent import written_message
from promptops_flows.templates.ecmascript import json_text
from promptops_providers.answers.estimates import estimate_tokens
from promptops_providers.protocol import Message


def windowed(messages: Sequence[Message], *, most: int, tokens: int) -> list[Message]:
    """The newest messages, `most` of them with at most about `tokens`, from a user's turn on.

    A tool's result is never shown without the call that it answers, nor a call without all of its
    results: vendors refuse either. What was cut in the middle is left out.
    """
    start = len(messages)
    left = tokens
    while start > 0 and len(messages) - start < most:
        left -= tokens_of(messages[start - 1])
        if left < 0:
            break
        start -= 1
    # At a user's turn no call is open: what was said before it has come to its end.
    while start < len(messages) and messages[start].role != "user":
        start += 1
    return list(messages[start:])


def tokens_of(message: Message) -> int:
    """An estimate, with the calls that it holds; what a vendor wants back is not counted."""
    calls = written_message(message).get("tool_calls")
    return estimate_tokens(message.content) + (estimate_tokens(json_text(calls)) if calls else 0)
