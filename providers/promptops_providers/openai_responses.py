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
from typing import Any, ClassVar

from promptops_providers.default_models import DEFAULT_MODELS
from promptops_providers.errors import RefusedError
from promptops_providers.estimates import estimated_usage
from promptops_providers.json_values import object_at, text_at
from promptops_providers.openai_errors import classify
from promptops_providers.openai_usage import responses_usage
from promptops_providers.protocol import (
    Completion,
    CompletionRequest,
    Message,
    StopReason,
    StreamEnd,
    StreamEvent,
    TextDelta,
)
from promptops_providers.sse import ServerSentEvent
from promptops_providers.strict_schemas import is_strict
from promptops_providers.tool_calls import RawCall, read_calls
from promptops_providers.wire import Dialect, Wire

PATH = "/v1/responses"
_LAST_EVENTS = ("response.completed", "response.incomplete", "response.failed")
_LIMITS = ("max_tokens", "max_completion_tokens")
# Others answer a request for their encrypted reasoning with an error.
_REASONS = re.compile(r"(o\d|gpt-(?:[5-9]|\d\d))(?!.*chat)", re.ASCII)


class Responses:
    dialect: ClassVar[Dialect] = Dialect(root="https://api.openai.com", classify=classify)

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    @property
    def name(self) -> str:
        return self._wire.provider

    async def complete(self, request: CompletionRequest) -> Completion:
        return self._completion(await self._wire.answer(PATH, self._body(request)), request)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[StreamEvent, None]:
        last: Mapping[str, Any] | None = None
        asked = {**self._body(request), "stream": True}
        async with aclosing(self._wire.events(PATH, asked, until=_is_last)) as events:
            async for each in events:
                event = self._wire.json_object(each.data)
                kind = event.get("type")
                if kind == "response.output_text.delta" and event.get("delta"):
                    yield TextDelta(str(event["delta"]))
                elif kind == "error":
                    raise self._wire.error_in_stream(event)
                elif kind in _LAST_EVENTS:
                    last = event.get("response")
        if not isinstance(last, Mapping):
            raise self._wire.cut_off()
        yield StreamEnd(self._completion(last, request))

    def _body(self, request: CompletionRequest) -> dict[str, Any]:
        model = request.model or DEFAULT_MODELS["openai"]
        body: dict[str, Any] = {
            "model": model,
            "input": [item for each in request.messages for item in self._items(each)],
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
        kept = message.vendor_data.get(self.name)
        if isinstance(kept, Mapping):
            output: Sequence[Mapping[str, Any]] = kept["output"]
            return output
        if message.role == "tool":
            answered = {"call_id": message.tool_call_id, "output": message.content}
            return [{"type": "function_call_output", **answered}]
        items: list[Mapping[str, Any]] = []
        if message.content or not message.tool_calls:
            items.append({"role": message.role, "content": message.content})
        for call in message.tool_calls:
            written = {"name": call.name, "arguments": json.dumps(dict(call.arguments))}
            items.append({"type": "function_call", "call_id": call.id, **written})
        return items

    def _completion(self, body: Mapping[str, Any], request: CompletionRequest) -> Completion:
        if body.get("error"):
            raise self._wire.error_in_stream(body)
        output = body.get("output")
        if not isinstance(output, list):
            raise self._wire.malformed("it has no output")
        items = [item for item in output if isinstance(item, Mapping)]
        parts = [part for item in items for part in _parts(item)]
        why = body.get("incomplete_details")
        why = why.get("reason") if isinstance(why, Mapping) else None
        refusal = "".join(str(part["refusal"]) for part in parts if part.get("refusal"))
        if refusal or why == "content_filter":
            raise self._wire.error(RefusedError, vendor_words=refusal)
        calls = read_calls(self._wire, [_call(item) for item in items if _is_call(item)])
        text = "".join(str(part["text"]) for part in parts if part.get("type") == "output_text")
        stop: StopReason = "length" if why == "max_output_tokens" else "end"
        return Completion(
            text=text,
            model=text_at(body, "model") or request.model,
            usage=responses_usage(object_at(body, "usage")) or estimated_usage(request, text),
            stop_reason="tool_calls" if calls else stop,
            tool_calls=calls,
            vendor_data={self.name: {"output": output}} if _has_reasoning(items) else {},
        )


def _is_last(event: ServerSentEvent) -> bool:
    return event.name in _LAST_EVENTS


def _parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """In the names of this API, also those that have others in Chat Completions."""
    parameters: dict[str, Any] = {}
    for name, value in given.items():
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
    content = item.get("content") if item.get("type") == "message" else None
    return [part for part in content or () if isinstance(part, Mapping)]


def _is_call(item: Mapping[str, Any]) -> bool:
    return item.get("type") == "function_call"


def _has_reasoning(items: Sequence[Mapping[str, Any]]) -> bool:
    return any(item.get("type") == "reasoning" for item in items)


def _call(item: Mapping[str, Any]) -> RawCall:
    return RawCall(
        str(item.get("call_id") or ""), str(item.get("name") or ""), item.get("arguments") or ""
    )
