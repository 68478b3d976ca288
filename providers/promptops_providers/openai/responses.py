"""The Responses API, which OpenAI recommends for everything new.

https://developers.openai.com/api/docs/guides/migrate-to-responses
Its current models reason between tool calls here only; Chat Completions refuses them tools. Nothing
is stored at the vendor: what a model wants back of its reasoning travels, encrypted, in the
message's `vendor_data`.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, ClassVar

from promptops_providers.answers.endings import stop_reason, with_usage_in_errors, word_at
from promptops_providers.answers.estimates import estimated_usage
from promptops_providers.answers.json_values import object_at, objects_at, text_at
from promptops_providers.answers.tool_calls import RawCall, read_calls
from promptops_providers.default_models import DEFAULT_MODELS
from promptops_providers.errors import RefusedError
from promptops_providers.openai.errors import classify
from promptops_providers.openai.strict_schemas import is_strict
from promptops_providers.openai.usage import responses_usage
from promptops_providers.parts import data_in
from promptops_providers.protocol import (
    AdapterEvent,
    Completion,
    CompletionRequest,
    ImagePart,
    Message,
    Part,
    Progress,
    StopReason,
    StreamEnd,
    TextDelta,
    TextPart,
    ToolCall,
    Usage,
)
from promptops_providers.schema_instructions import with_schema_in_words
from promptops_providers.transport.sse import ServerSentEvent
from promptops_providers.transport.vendor_http import Dialect, VendorHttp

PATH = "/v1/responses"
_LAST_EVENTS = ("response.completed", "response.incomplete", "response.failed")
_STOP_REASONS: Mapping[str, StopReason] = {
    "": "end",
    "completed": "end",
    "max_output_tokens": "length",
}
_LIMITS = ("max_tokens", "max_completion_tokens")
# Others answer a request for their encrypted reasoning with an error.
_REASONS = re.compile(r"(o\d|gpt-(?:[5-9]|\d\d))(?!.*chat)", re.ASCII)


class Responses:
    dialect: ClassVar[Dialect] = Dialect(root="https://api.openai.com", classify=classify)

    def __init__(self, wire: VendorHttp) -> None:
        self._wire = wire

    @property
    def name(self) -> str:
        return self._wire.provider

    async def complete(self, request: CompletionRequest) -> Completion:
        return self._read(await self._wire.answer(PATH, self._body(request)), request)

    def _read(self, body: Mapping[str, Any], request: CompletionRequest) -> Completion:
        """A whole answer."""
        answer = _Answer(self._wire, body)
        with with_usage_in_errors(answer):
            return answer.completion(request)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[AdapterEvent, None]:
        last: Mapping[str, Any] | None = None
        asked = {**self._body(request), "stream": True}
        async with aclosing(self._wire.events(PATH, asked, until=_is_last)) as events:
            async for sent in events:
                event = self._wire.json_object(sent.data)
                if sent.is_whole:
                    last = event
                    continue
                kind = event.get("type")
                if kind == "response.output_text.delta" and text_at(event, "delta"):
                    yield TextDelta(text_at(event, "delta"))
                elif kind == "error":
                    raise self._wire.error_in_stream(event)
                elif kind in _LAST_EVENTS:
                    last = object_at(event, "response") or None
                else:
                    yield Progress()
        if last is None:
            raise self._wire.cut_off()
        yield StreamEnd(self._read(last, request))

    def _body(self, request: CompletionRequest) -> dict[str, Any]:
        model = request.model or DEFAULT_MODELS["openai"]
        if self._wire.compatibility.wants_words:
            request = with_schema_in_words(request)
        body: dict[str, Any] = {
            "model": model,
            "input": [item for message in request.messages for item in self._items(message)],
            "store": False,
            **_parameters(request.parameters),
        }
        if _REASONS.match(model):
            body.setdefault("include", ["reasoning.encrypted_content"])
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                    "strict": is_strict(tool.parameters),
                }
                for tool in request.tools
            ]
            body["tool_choice"] = request.tool_choice
        if request.output_schema is not None:
            form = {
                "type": "json_schema",
                "name": "answer",
                "schema": request.output_schema,
                "strict": is_strict(request.output_schema),
            }
            body["text"] = {**body.get("text", {}), "format": form}
        return body

    def _items(self, message: Message) -> Sequence[Mapping[str, Any]]:
        kept = objects_at(object_at(message.vendor_data, self.name), "output")
        if kept:
            return kept
        if message.role == "tool":
            answered = {"call_id": message.tool_call_id, "output": message.content}
            return [{"type": "function_call_output", **answered}]
        items: list[Mapping[str, Any]] = []
        if message.content or not message.tool_calls:
            parts = [_input_part(part, self.name) for part in message.parts]
            items.append({"role": message.role, "content": parts or message.content})
        for call in message.tool_calls:
            written = {"name": call.name, "arguments": json.dumps(dict(call.arguments))}
            items.append({"type": "function_call", "call_id": call.id, **written})
        return items


def _input_part(part: Part, provider: str) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "input_text", "text": part.text}
    data = data_in(part, provider)
    if isinstance(part, ImagePart):
        detail = part.detail or "auto"
        return {"type": "input_image", "image_url": part.url, "detail": detail}
    if data is None:
        return {"type": "input_file", "file_url": part.url}
    # The API wants a name with a file's data, and none with an address.
    return {"type": "input_file", "filename": part.filename or "file", "file_data": part.url}


@dataclass(frozen=True, slots=True)
class _Answer:
    """A response with all that came, also that of a stream."""

    wire: VendorHttp
    body: Mapping[str, Any]

    def usage(self) -> Usage | None:
        return responses_usage(object_at(self.body, "usage"))

    def completion(self, request: CompletionRequest) -> Completion:
        body = self.body
        if body.get("error"):
            raise self.wire.error_in_stream(body)
        items = objects_at(body, "output")
        parts = [part for item in items for part in _parts(item)]
        refusal = "".join(text_at(part, "refusal") for part in parts)
        if refusal:
            raise self.wire.error(RefusedError, vendor_words=refusal)
        stop = stop_reason(self.wire, _ending(body), _STOP_REASONS)
        if not isinstance(body.get("output"), list):
            raise self.wire.malformed("it has no output")
        calls = read_calls(self.wire, [_call(item) for item in items if _is_call(item)], stop)
        text = "".join(text_at(part, "text") for part in parts if part.get("type") == "output_text")
        name = self.wire.provider
        return Completion(
            text=text,
            model=text_at(body, "model") or request.model,
            usage=self.usage() or estimated_usage(request, text),
            stop_reason="tool_calls" if calls else stop,
            tool_calls=calls,
            vendor_data={name: {"output": _usable(items, calls)}} if _has_reasoning(items) else {},
        )


def _ending(body: Mapping[str, Any]) -> str:
    """The status, or the reason for an answer that is not complete."""
    status = word_at(body, "status")
    reason = word_at(object_at(body, "incomplete_details"), "reason")
    return reason or status if status in ("", "incomplete") else status


def _is_last(event: ServerSentEvent) -> bool:
    return event.name in _LAST_EVENTS


def _parameters(requested: Mapping[str, Any]) -> dict[str, Any]:
    """In the names of this API, also those that have others in Chat Completions."""
    parameters: dict[str, Any] = {}
    for name, value in requested.items():
        if value is None:
            continue
        if name in _LIMITS:
            parameters["max_output_tokens"] = value
        elif name == "reasoning_effort":
            parameters["reasoning"] = {"effort": value}
        else:
            parameters[name] = value
    return parameters


def _parts(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return objects_at(item, "content") if item.get("type") == "message" else []


def _is_call(item: Mapping[str, Any]) -> bool:
    return item.get("type") == "function_call"


def _has_reasoning(items: Sequence[Mapping[str, Any]]) -> bool:
    return any(item.get("type") == "reasoning" for item in items)


def _usable(
    items: Sequence[Mapping[str, Any]], calls: Sequence[ToolCall]
) -> list[Mapping[str, Any]]:
    """The items as they may be sent back: with the ids by which results name the calls, and with
    arguments that are JSON."""
    rest = iter(calls)
    usable: list[Mapping[str, Any]] = []
    for item in items:
        call = next(rest) if _is_call(item) else None
        changed = {} if call is None else {"call_id": call.id}
        usable.append({**item, **changed, **({"arguments": "{}"} if call and call.problem else {})})
    return usable


def _call(item: Mapping[str, Any]) -> RawCall:
    return RawCall(text_at(item, "call_id"), text_at(item, "name"), item.get("arguments"))
