"""A request as Anthropic's Messages API takes it.

https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptops_providers.answers.json_values import object_at, objects_at
from promptops_providers.claude.models import default_max_tokens, is_lenient, takes_schemas
from promptops_providers.claude.schemas import as_claude_takes_it
from promptops_providers.parts import data_in, unsupported
from promptops_providers.protocol import CompletionRequest, ImagePart, Message, Part, TextPart
from promptops_providers.schema_instructions import schema_instruction

KIND = "claude"
# What is kept of an answer with more than text and calls: its blocks, and what they came after.
CONTENT = "content"
AFTER = "after"
# Claude has nothing like a seed, and refuses names that it does not know.
_OWN_PARAMETERS = ("max_tokens", "stop", "seed", "stream")
_DOCUMENT = "application/pdf"
_CALL_ID = re.compile(r"[\w-]+", re.ASCII)
_CALL_A_TOOL = "Answer by calling at least one of the tools."


@dataclass(frozen=True, slots=True)
class Asked:
    """`digest` is that of all that stands before the answer."""

    body: dict[str, Any]
    digest: str


def asked_of(request: CompletionRequest, model: str, provider: str) -> Asked:
    """Raises UnsupportedPartError."""
    parameters = {name: value for name, value in request.parameters.items() if value is not None}
    body: dict[str, Any] = {
        **{name: value for name, value in parameters.items() if name not in _OWN_PARAMETERS},
        "model": model,
        "max_tokens": parameters.get("max_tokens", default_max_tokens(model)),
    }
    if "stop" in parameters:
        stop = parameters["stop"]
        body["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    instructions = [
        message.content for message in request.messages if message.role in ("system", "developer")
    ]
    if request.tools:
        instructions.append(_take_tools(body, request, model))
    if request.output_schema is not None:
        instructions.append(_take_schema(body, request.output_schema, model))
    system = "\n\n".join(text for text in instructions if text.strip())
    if system:
        body["system"] = system
    conversation = _Conversation(body, provider, lenient=is_lenient(model))
    for message in request.messages:
        if message.role not in ("system", "developer"):
            conversation.add(message)
    return Asked({**body, "messages": conversation.turns}, conversation.digest)


def _take_tools(body: dict[str, Any], request: CompletionRequest, model: str) -> str:
    """What the model must be told besides."""
    body["tools"] = [
        {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
        for tool in request.tools
    ]
    if request.tool_choice != "required":
        body["tool_choice"] = {"type": request.tool_choice}
        return ""
    forced = is_lenient(model)
    body["tool_choice"] = {"type": "any" if forced else "auto"}
    return "" if forced else _CALL_A_TOOL


def _take_schema(body: dict[str, Any], output_schema: Mapping[str, Any], model: str) -> str:
    """What the model must be told besides."""
    schema = as_claude_takes_it(output_schema) if takes_schemas(model) else None
    if schema is None:
        return schema_instruction(output_schema)
    form = {"type": "json_schema", "schema": schema}
    body["output_config"] = {**object_at(body, "output_config"), "format": form}
    return ""


class _Conversation:
    """User and assistant by turns; the results of parallel calls are one turn."""

    def __init__(self, body: Mapping[str, Any], provider: str, *, lenient: bool) -> None:
        self._provider = provider
        self.turns: list[dict[str, Any]] = []
        self._lenient = lenient
        self._ids = _CallIds()
        self._hash = hashlib.sha256()
        self._take_in([body.get("system"), body.get("tools")])

    @property
    def digest(self) -> str:
        """Of all that it holds by now."""
        return self._hash.hexdigest()

    def add(self, message: Message) -> None:
        role = "assistant" if message.role == "assistant" else "user"
        blocks = self._as_they_came(message) or _blocks(message, self._ids, self._provider)
        if not blocks:
            return
        self._take_in([role, blocks])
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1]["content"] += blocks
        else:
            self.turns.append({"role": role, "content": blocks})

    def _as_they_came(self, message: Message) -> list[Any]:
        """The blocks of an answer with its thinking, which newer models refuse once anything before
        it has changed, as when a conversation outgrows its window."""
        kept = object_at(message.vendor_data, KIND)
        fits = self._lenient or kept.get(AFTER) == self.digest
        return list(objects_at(kept, CONTENT)) if fits else []

    def _take_in(self, value: Any) -> None:
        self._hash.update(json.dumps(value, sort_keys=True, default=str).encode())


class _CallIds:
    """The API wants the ids of calls unique in the conversation, and of few characters. Those of
    other providers' turns may be neither."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._sent_for: dict[str, str] = {}

    def of_call(self, own: str) -> str:
        good = own not in self._used and _CALL_ID.fullmatch(own)
        sent = own if good else f"call_{len(self._used) + 1}_of_another"
        self._used.add(sent)
        self._sent_for[own] = sent
        return sent

    def of_result(self, own: str) -> str:
        """That of the newest call with this id."""
        return self._sent_for.get(own, own)


def _blocks(message: Message, ids: _CallIds, provider: str) -> list[Any]:
    if message.role == "tool":
        answered = ids.of_result(message.tool_call_id)
        return [{"type": "tool_result", "tool_use_id": answered, "content": message.content}]
    parts = message.parts or (TextPart(message.content),)
    # The API refuses empty text.
    blocks = [
        _block(part, provider)
        for part in parts
        if not isinstance(part, TextPart) or part.text.strip()
    ]
    return blocks + [
        {
            "type": "tool_use",
            "id": ids.of_call(call.id),
            "name": call.name,
            "input": dict(call.arguments),
        }
        for call in message.tool_calls
    ]


def _block(part: Part, provider: str) -> dict[str, Any]:
    """https://platform.claude.com/docs/en/build-with-claude/vision and .../pdf-support"""
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    data = data_in(part, provider)
    source: dict[str, Any] = {"type": "url", "url": part.url}
    if data is not None:
        source = {"type": "base64", "media_type": data.media_type, "data": data.base64}
    if isinstance(part, ImagePart):
        return {"type": "image", "source": source}
    if data is not None and data.media_type != _DOCUMENT:
        reason = f"Claude takes files of type {_DOCUMENT}, not {data.media_type}"
        raise unsupported(part, provider, reason)
    return {
        "type": "document",
        "source": source,
        **({"title": part.filename} if part.filename else {}),
    }
