"""An output schema in words, for models that do not take it as such."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from promptops_providers.protocol import CompletionRequest, Message

_ANSWER_IN_JSON = "Answer with JSON alone, no text around it, that fits this JSON Schema:"
_INSTRUCTING = ("system", "developer")


def schema_instruction(schema: Mapping[str, Any]) -> str:
    return f"{_ANSWER_IN_JSON}\n{json.dumps(schema, default=str)}"


def with_schema_in_words(request: CompletionRequest) -> CompletionRequest:
    """The request without its schema, which joins the first message where that instructs: templates
    of many models want one system message, and want it first."""
    if request.output_schema is None:
        return request
    instruction = schema_instruction(request.output_schema)
    first, rest = request.messages[:1], request.messages[1:]
    if first and first[0].role in _INSTRUCTING:
        instructed = replace(first[0], content=f"{first[0].content}\n\n{instruction}".strip())
        messages = (instructed, *rest)
    else:
        messages = (Message("system", instruction), *request.messages)
    return replace(request, messages=messages, output_schema=None)
