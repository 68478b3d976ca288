"""What a vendor sent, as everybody may store, show and send it on.

All texts of an answer are the vendor's: also those that look like ours, such as names and ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

from promptops_providers.answers.redaction import Redactor
from promptops_providers.answers.storable_texts import storable, storable_json
from promptops_providers.errors import MalformedAnswerError
from promptops_providers.protocol import Completion, ToolCall

MAX_LABEL_CHARACTERS = 200
# What reads JSON recursively, here and in databases, gives up on values that are nested deeper.
MAX_NESTING = 100


def clean_completion(completion: Completion, key: str | None) -> Completion:
    """The answer with texts that can be stored, and labels that are short and don't repeat the key.

    In its text and in arguments the key stays: whoever shows those has more secrets to replace.
    Raises `MalformedAnswerError` for values that are nested too deeply.
    """
    nested = [completion.vendor_data, *(call.arguments for call in completion.tool_calls)]
    if not all(map(_is_flat, nested)):
        error = MalformedAnswerError(
            completion.provider,
            f"provider {completion.provider}: the answer could not be read: it is nested more than "
            f"{MAX_NESTING} deep",
        )
        error.usage = completion.usage
        raise error
    redact = Redactor([key])
    return replace(
        completion,
        text=storable(completion.text),
        model=_label(completion.model, redact),
        tool_calls=tuple(_clean_calls(completion.tool_calls, redact)),
        vendor_data=storable_json(dict(completion.vendor_data)),
    )


def _clean_calls(calls: Iterable[ToolCall], redact: Redactor) -> Iterator[ToolCall]:
    used: set[str] = set()
    for number, call in enumerate(calls, 1):
        call_id = _label(call.id, redact)
        if call_id in used:
            # What told it from another one was cut off or replaced.
            call_id = f"call_{number}_{uuid4().hex}"
        used.add(call_id)
        arguments = storable_json(dict(call.arguments))
        yield ToolCall(call_id, _label(call.name, redact), arguments, call.problem)


def _label(text: str, redact: Redactor) -> str:
    return storable(redact(text))[:MAX_LABEL_CHARACTERS]


def _is_flat(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_NESTING):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        level = [item for item in inner if isinstance(item, dict | list)]
        if not level:
            return True
    return False
