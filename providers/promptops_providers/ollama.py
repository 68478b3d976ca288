"""Ollama by its native API: https://github.com/ollama/ollama/blob/main/docs/api.md"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, ClassVar

from promptops_providers.default_models import DEFAULT_MODELS
from promptops_providers.errors import ContextTooLongError
from promptops_providers.estimates import estimated_usage, reported_usage
from promptops_providers.failures import ErrorClass
from promptops_providers.json_values import count_at, has_count, text_at
from promptops_providers.openai_errors import says_too_long
from promptops_providers.protocol import (
    Completion,
    CompletionRequest,
    Message,
    StopReason,
    StreamEnd,
    StreamEvent,
    TextDelta,
    Usage,
)
from promptops_providers.tool_calls import RawCall, read_calls
from promptops_providers.wire import Dialect, Wire, message_of

PATH = "/api/chat"
# These stand beside `options`, every other parameter within.
_BESIDE_OPTIONS = ("keep_alive", "think", "format", "truncate", "shift", "logprobs", "top_logprobs")


def _classify(status: int, body: Mapping[str, Any]) -> ErrorClass | None:
    del status
    return ContextTooLongError if says_too_long(message_of(body)) else None


class Ollama:
    """A server on this machine unless a base URL is given; `https://ollama.com` takes a key."""

    dialect: ClassVar[Dialect] = Dialect(
        root="http://127.0.0.1:11434", needs_key=False, classify=_classify
    )

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    @property
    def name(self) -> str:
        return self._wire.provider

    async def complete(self, request: CompletionRequest) -> Completion:
        answer = await self._wire.answer(PATH, {**self._body(request), "stream": False})
        self._message_of(answer)
        return self._completion([answer], request)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[StreamEvent, None]:
        chunks: list[Mapping[str, Any]] = []
        asked = {**self._body(request), "stream": True}
        async with aclosing(self._wire.json_lines(PATH, asked, until=_is_done)) as lines:
            async for chunk in lines:
                piece = self._message_of(chunk).get("content")
                chunks.append(chunk)
                if isinstance(piece, str) and piece:
                    yield TextDelta(piece)
        if not chunks or not _is_done(chunks[-1]):
            raise self._wire.cut_off()
        yield StreamEnd(self._completion(chunks, request))

    def _message_of(self, chunk: Mapping[str, Any]) -> Mapping[str, Any]:
        if chunk.get("error"):
            raise self._wire.error_in_stream(chunk)
        message = chunk.get("message")
        if not isinstance(message, Mapping):
            raise self._wire.malformed("it has no message")
        return message

    def _body(self, request: CompletionRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": request.model or DEFAULT_MODELS["ollama"],
            "messages": self._messages(request.messages),
            **_parameters(request.parameters),
        }
        # There is no choice of tools: without them none is called, and no call can be enforced.
        if request.tools and request.tool_choice != "none":
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
        if request.output_schema is not None:
            body["format"] = request.output_schema
        return body

    def _messages(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        called = {call.id: call.name for message in messages for call in message.tool_calls}
        written = []
        for message in messages:
            role = "system" if message.role == "developer" else message.role
            turn: dict[str, Any] = {"role": role, "content": message.content}
            kept = message.vendor_data.get(self.name)
            if isinstance(kept, Mapping) and kept.get("thinking"):
                turn["thinking"] = kept["thinking"]
            if message.tool_calls:
                turn["tool_calls"] = [
                    {"id": call.id, "function": {"name": call.name, "arguments": call.arguments}}
                    for call in message.tool_calls
                ]
            if role == "tool":
                turn["tool_call_id"] = message.tool_call_id
                turn["tool_name"] = called.get(message.tool_call_id, "")
            written.append(turn)
        return written

    def _completion(
        self, chunks: Sequence[Mapping[str, Any]], request: CompletionRequest
    ) -> Completion:
        messages = [chunk["message"] for chunk in chunks]
        text = "".join(str(message.get("content") or "") for message in messages)
        thinking = "".join(str(message.get("thinking") or "") for message in messages)
        raw = [call for message in messages for call in message.get("tool_calls") or ()]
        calls = read_calls(self._wire, [_call(each) for each in raw if isinstance(each, Mapping)])
        last = chunks[-1]
        stop: StopReason = "length" if last.get("done_reason") == "length" else "end"
        return Completion(
            text=text,
            model=text_at(last, "model") or request.model,
            usage=_usage(last) or estimated_usage(request, text),
            stop_reason="tool_calls" if calls else stop,
            tool_calls=calls,
            vendor_data={self.name: {"thinking": thinking}} if thinking else {},
        )


def _is_done(chunk: Mapping[str, Any]) -> bool:
    return chunk.get("done") is True


def _parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    beside = {name: value for name, value in given.items() if name in _BESIDE_OPTIONS}
    options = dict(given.get("options") or {})
    for name, value in given.items():
        if name in _BESIDE_OPTIONS or name == "options" or value is None:
            continue
        if name == "stop" and isinstance(value, str):
            options["stop"] = [value]
        else:
            options["num_predict" if name == "max_tokens" else name] = value
    return {**beside, **({"options": options} if options else {})}


def _usage(last: Mapping[str, Any]) -> Usage | None:
    """A server leaves out the prompt's where it had read that already."""
    if not (has_count(last, "prompt_eval_count") and has_count(last, "eval_count")):
        return None
    return reported_usage(count_at(last, "prompt_eval_count"), count_at(last, "eval_count"))


def _call(raw: Mapping[str, Any]) -> RawCall:
    function = raw.get("function")
    function = function if isinstance(function, Mapping) else {}
    return RawCall(
        str(raw.get("id") or ""), str(function.get("name") or ""), function.get("arguments") or {}
    )
