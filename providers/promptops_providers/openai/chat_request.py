"""A request as Chat Completions takes it, and in what its servers differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptops_providers.adaptation.compatibility import Compatibility
from promptops_providers.answers.json_values import object_at
from promptops_providers.openai.call_ids import fitting_id
from promptops_providers.openai.chat_reasoning import add_to_turn
from promptops_providers.openai.strict_schemas import is_strict
from promptops_providers.parts import data_in, unsupported
from promptops_providers.protocol import (
    CompletionRequest,
    ImagePart,
    Message,
    Part,
    TextPart,
    ToolCall,
)
from promptops_providers.schema_instructions import with_schema_in_words

# What most servers take.
_USUAL = Compatibility(
    stream_options=True,
    limit_parameter="max_tokens",
    developer_role=False,
    structured_output="json_schema",
    returns_reasoning=True,
)
AS_OPENAI = Compatibility(limit_parameter="max_completion_tokens", developer_role=True).over(_USUAL)


@dataclass(frozen=True, slots=True)
class Flavour:
    """What servers take, and whether a file may be an address, as OpenRouter has it."""

    takes: Compatibility = _USUAL
    file_addresses: bool = True


def body_of(request: CompletionRequest, flavour: Flavour, provider: str) -> dict[str, Any]:
    """Raises UnsupportedPartError."""
    takes, schema = flavour.takes, request.output_schema
    if takes.structured_output != "json_schema":
        request = with_schema_in_words(request)
    body: dict[str, Any] = {
        "messages": [_message(message, flavour, provider) for message in request.messages]
    }
    if request.model:
        body["model"] = request.model
    for name, value in request.parameters.items():
        if value is not None:
            body[takes.limit_parameter or name if name == "max_tokens" else name] = value
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in request.tools
        ]
        body["tool_choice"] = request.tool_choice
    return body if schema is None else {**body, **_form_of(schema, takes)}


def _form_of(schema: Mapping[str, Any], takes: Compatibility) -> dict[str, Any]:
    if takes.structured_output == "json_object":
        return {"response_format": {"type": "json_object"}}
    if takes.structured_output == "instruction":
        return {}
    described = {"name": "answer", "schema": schema, "strict": is_strict(schema)}
    return {"response_format": {"type": "json_schema", "json_schema": described}}


def _message(message: Message, flavour: Flavour, provider: str) -> dict[str, Any]:
    takes = flavour.takes
    is_unknown = message.role == "developer" and not takes.developer_role
    role = "system" if is_unknown else message.role
    parts = [_part(part, flavour, provider) for part in message.parts]
    written: dict[str, Any] = {"role": role, "content": parts or message.content}
    if message.name:
        written["name"] = message.name
    if message.tool_calls:
        written["tool_calls"] = [_call(call, takes) for call in message.tool_calls]
    if role == "tool":
        written["tool_call_id"] = fitting_id(message.tool_call_id, takes.tool_call_id_length)
    if takes.returns_reasoning:
        add_to_turn(written, object_at(message.vendor_data, provider))
    return written


def _call(call: ToolCall, takes: Compatibility) -> dict[str, Any]:
    return {
        "id": fitting_id(call.id, takes.tool_call_id_length),
        "type": "function",
        "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments))},
    }


def _part(part: Part, flavour: Flavour, provider: str) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    data = data_in(part, provider)
    if isinstance(part, ImagePart):
        image = {"url": part.url, **({"detail": part.detail} if part.detail else {})}
        return {"type": "image_url", "image_url": image}
    if data is None and not flavour.file_addresses:
        reason = "Chat Completions takes a file as a data: URL, not by its address"
        raise unsupported(part, provider, reason)
    # OpenAI refuses a file without a name.
    return {"type": "file", "file": {"filename": part.filename or "file", "file_data": part.url}}
