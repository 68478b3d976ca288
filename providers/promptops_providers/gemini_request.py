"""A request as Gemini's generateContent takes it.

https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from promptops_providers.json_values import object_at, objects_at
from promptops_providers.protocol import CompletionRequest, Message, ToolChoice

KIND = "gemini"
PARTS = "parts"
_NAMES = {"max_tokens": "maxOutputTokens", "top_p": "topP", "stop": "stopSequences"}
# These stand beside `generationConfig`, every other parameter within.
_BESIDE = ("safetySettings", "cachedContent", "serviceTier")
_MODES: Mapping[ToolChoice, str] = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
# What the documentation of thought signatures gives for calls that no Gemini made: newer models
# refuse a call without one.
_UNSIGNED = "skip_thought_signature_validator"


def body_of(request: CompletionRequest) -> dict[str, Any]:
    body: dict[str, Any] = {"contents": _contents(request.messages)}
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


def _contents(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The turns. All results of parallel calls are one, which holds nothing else."""
    contents: list[dict[str, Any]] = []
    calls: dict[str, Mapping[str, Any]] = {}
    before = ""
    for message in messages:
        if message.role in ("system", "developer"):
            continue
        parts = [_result(message, calls)] if message.role == "tool" else _parts(message)
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


def _parts(message: Message) -> list[Any]:
    kept = objects_at(object_at(message.vendor_data, KIND), PARTS)
    if kept:
        return list(kept)
    parts: list[dict[str, Any]] = [{"text": message.content}] if message.content else []
    for number, call in enumerate(message.tool_calls):
        part: dict[str, Any] = {
            "functionCall": {"id": call.id, "name": call.name, "args": dict(call.arguments)}
        }
        if number == 0:
            part["thoughtSignature"] = _UNSIGNED
        parts.append(part)
    return parts


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
