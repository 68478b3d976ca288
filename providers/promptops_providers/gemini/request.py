"""A request as Gemini's generateContent takes it.

https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from mimetypes import guess_type
from typing import Any
from urllib.parse import urlsplit

from promptops_providers.answers.json_values import object_at, objects_at
from promptops_providers.parts import data_in
from promptops_providers.protocol import (
    CompletionRequest,
    Message,
    Part,
    TextPart,
    ToolChoice,
)
from promptops_providers.schema_instructions import with_schema_in_words

KIND = "gemini"
PARTS = "parts"
_NAMES = {"max_tokens": "maxOutputTokens", "top_p": "topP", "stop": "stopSequences"}
# These stand beside `generationConfig`, every other parameter within.
_BESIDE = ("safetySettings", "cachedContent", "serviceTier")
_MODES: Mapping[ToolChoice, str] = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
# Models before the third generation refuse tools and a form of the answer in one request.
_TOOLS_OR_SCHEMA = re.compile(r"(?:^|/)gemini-(?:pro|[12][.-])", re.ASCII)
# What the documentation of thought signatures gives for calls that no Gemini made: newer models
# refuse a call without one.
_UNSIGNED = "skip_thought_signature_validator"


def body_of(request: CompletionRequest, model: str, provider: str) -> dict[str, Any]:
    """Raises UnsupportedPartError."""
    if request.tools and _TOOLS_OR_SCHEMA.search(model):
        request = with_schema_in_words(request)
    body: dict[str, Any] = {"contents": _contents(request.messages, provider)}
    config: dict[str, Any] = {}
    for name, value in request.parameters.items():
        if value is None:
            continue
        if name in _BESIDE:
            body[name] = value
        elif name == "stop" and isinstance(value, str):
            config["stopSequences"] = [value]
        else:
            config[_NAMES.get(name, name)] = value
    if request.output_schema is not None:
        config["responseMimeType"] = "application/json"
        config["responseJsonSchema"] = request.output_schema
    if config:
        body["generationConfig"] = config
    instructions = [
        {"text": message.content}
        for message in request.messages
        if message.role in ("system", "developer") and message.content
    ]
    if instructions:
        body["systemInstruction"] = {"parts": instructions}
    if request.tools:
        declared = [
            {
                "name": tool.name,
                "description": tool.description,
                "parametersJsonSchema": tool.parameters,
            }
            for tool in request.tools
        ]
        body["tools"] = [{"functionDeclarations": declared}]
        body["toolConfig"] = {"functionCallingConfig": {"mode": _MODES[request.tool_choice]}}
    return body


def _contents(messages: Sequence[Message], provider: str) -> list[dict[str, Any]]:
    """The turns. All results of parallel calls are one, which holds nothing else."""
    contents: list[dict[str, Any]] = []
    calls: dict[str, Mapping[str, Any]] = {}
    before = ""
    for message in messages:
        if message.role in ("system", "developer"):
            continue
        parts = [_result(message, calls)] if message.role == "tool" else _parts(message, provider)
        if message.role == "assistant":
            sent = [part["functionCall"] for part in parts if "functionCall" in part]
            calls = {
                call.id: as_sent for call, as_sent in zip(message.tool_calls, sent, strict=False)
            }
        if not parts:
            continue
        if message.role == before:
            contents[-1]["parts"] += parts
        else:
            role = "model" if message.role == "assistant" else "user"
            contents.append({"role": role, "parts": parts})
        before = message.role
    return contents


def _parts(message: Message, provider: str) -> list[Any]:
    kept = objects_at(object_at(message.vendor_data, KIND), PARTS)
    if kept:
        return list(kept)
    parts = [
        _part(part, provider)
        for part in message.parts or (TextPart(message.content),)
        if not isinstance(part, TextPart) or part.text
    ]
    for number, call in enumerate(message.tool_calls):
        part: dict[str, Any] = {
            "functionCall": {"id": call.id, "name": call.name, "args": dict(call.arguments)}
        }
        if number == 0:
            part["thoughtSignature"] = _UNSIGNED
        parts.append(part)
    return parts


def _part(part: Part, provider: str) -> dict[str, Any]:
    """https://ai.google.dev/gemini-api/docs/file-input-methods"""
    if isinstance(part, TextPart):
        return {"text": part.text}
    data = data_in(part, provider)
    if data is not None:
        return {"inlineData": {"mimeType": data.media_type, "data": data.base64}}
    media_type, _ = guess_type(urlsplit(part.url).path)
    media = {"mimeType": media_type} if media_type else {}
    return {"fileData": {"fileUri": part.url, **media}}


def _result(message: Message, calls: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The id only where Gemini gave one: older models give none, and then take none."""
    call = calls.get(message.tool_call_id, {})
    response: dict[str, Any] = {
        "name": call.get("name", message.tool_call_id),
        "response": {"output": message.content},
    }
    if "id" in call:
        response["id"] = call["id"]
    return {"functionResponse": response}
