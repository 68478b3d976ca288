"""Ollama by its native API: https://github.com/ollama/ollama/blob/main/docs/api.md"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, ClassVar

from promptops_providers.answers.endings import stop_reason, with_usage_in_errors, word_at
from promptops_providers.answers.estimates import estimated_usage, reported_usage
from promptops_providers.answers.failures import ErrorClass
from promptops_providers.answers.json_values import (
    count_at,
    has_count,
    object_at,
    objects_at,
    text_at,
)
from promptops_providers.answers.tool_calls import RawCall, read_calls
from promptops_providers.default_models import DEFAULT_MODELS
from promptops_providers.errors import ContextTooLongError
from promptops_providers.openai.errors import says_too_long
from promptops_providers.parts import data_in, unsupported
from promptops_providers.protocol import (
    AdapterEvent,
    Completion,
    CompletionRequest,
    FilePart,
    ImagePart,
    Message,
    Progress,
    StopReason,
    StreamEnd,
    TextDelta,
    TextPart,
    Usage,
)
from promptops_providers.schema_instructions import with_schema_in_words
from promptops_providers.transport.vendor_http import Dialect, VendorHttp, message_of

PATH = "/api/chat"
_STOP_REASONS: Mapping[str, StopReason] = {"": "end", "stop": "end", "length": "length"}
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

    def __init__(self, wire: VendorHttp) -> None:
        self._wire = wire

    @property
    def name(self) -> str:
        return self._wire.provider

    async def complete(self, request: CompletionRequest) -> Completion:
        body = await self._wire.answer(PATH, {**self._body(request), "stream": False})
        answer = _Answer(self._wire)
        with with_usage_in_errors(answer):
            answer.take(body)
            return answer.completion(request)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[AdapterEvent, None]:
        answer = _Answer(self._wire)
        asked = {**self._body(request), "stream": True}
        with with_usage_in_errors(answer):
            async with aclosing(self._wire.json_lines(PATH, asked, until=_is_done)) as lines:
                async for chunk in lines:
                    piece = answer.take(chunk)
                    yield TextDelta(piece) if piece else Progress()
            yield StreamEnd(answer.completion(request))

    def _body(self, request: CompletionRequest) -> dict[str, Any]:
        # There is no choice of tools: without them none is called, and no call can be enforced.
        has_tools = request.tools and request.tool_choice != "none"
        # An answer that is held to a form can't call a tool.
        if has_tools or self._wire.compatibility.wants_words:
            request = with_schema_in_words(request)
        body: dict[str, Any] = {
            "model": request.model or DEFAULT_MODELS["ollama"],
            "messages": self._messages(request.messages),
            **_parameters(request.parameters),
        }
        if has_tools:
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
        called: dict[str, str] = {}
        written = []
        for message in messages:
            # Ids that were made up are the same in each turn.
            called.update({call.id: call.name for call in message.tool_calls})
            role = "system" if message.role == "developer" else message.role
            turn: dict[str, Any] = {"role": role, "content": message.content}
            kept = message.vendor_data.get(self.name)
            if isinstance(kept, Mapping) and kept.get("thinking"):
                turn["thinking"] = kept["thinking"]
            images = [
                _image(part, self.name) for part in message.parts if not isinstance(part, TextPart)
            ]
            if images:
                turn["images"] = images
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


@dataclass(slots=True)
class _Answer:
    """What has come so far: an answer is one chunk, a stream is many."""

    wire: VendorHttp
    _last: Mapping[str, Any] = field(default_factory=dict)
    _messages: list[Mapping[str, Any]] = field(default_factory=list)

    def take(self, chunk: Mapping[str, Any]) -> str:
        """The text that it adds."""
        self._last = chunk
        if chunk.get("error"):
            raise self.wire.error_in_stream(chunk)
        message = chunk.get("message")
        if not isinstance(message, Mapping):
            raise self.wire.malformed("it has no message")
        self._messages.append(message)
        return text_at(message, "content")

    def usage(self) -> Usage | None:
        """A server leaves out the prompt's where it had read that already."""
        last = self._last
        if not (has_count(last, "prompt_eval_count") and has_count(last, "eval_count")):
            return None
        return reported_usage(count_at(last, "prompt_eval_count"), count_at(last, "eval_count"))

    def completion(self, request: CompletionRequest) -> Completion:
        if not _is_done(self._last):
            raise self.wire.cut_off()
        stop = stop_reason(self.wire, word_at(self._last, "done_reason"), _STOP_REASONS)
        text = "".join(text_at(message, "content") for message in self._messages)
        thinking = "".join(text_at(message, "thinking") for message in self._messages)
        raw = [call for message in self._messages for call in objects_at(message, "tool_calls")]
        calls = read_calls(self.wire, map(_call, raw), stop)
        return Completion(
            text=text,
            model=text_at(self._last, "model") or request.model,
            usage=self.usage() or estimated_usage(request, text),
            stop_reason="tool_calls" if calls else stop,
            tool_calls=calls,
            vendor_data={self.wire.provider: {"thinking": thinking}} if thinking else {},
        )


def _image(part: ImagePart | FilePart, provider: str) -> str:
    """In base64, which is all that the API takes; the texts are in the turn's content."""
    if isinstance(part, FilePart):
        raise unsupported(part, provider, "Ollama takes texts and images only")
    data = data_in(part, provider)
    if data is None:
        raise unsupported(
            part, provider, "Ollama takes an image as a data: URL, not by its address"
        )
    return data.base64


def _is_done(chunk: Mapping[str, Any]) -> bool:
    return chunk.get("done") is True


def _parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    beside = {name: value for name, value in parameters.items() if name in _BESIDE_OPTIONS}
    options = dict(parameters.get("options") or {})
    for name, value in parameters.items():
        if name in _BESIDE_OPTIONS or name == "options" or value is None:
            continue
        if name == "stop" and isinstance(value, str):
            options["stop"] = [value]
        else:
            options["num_predict" if name == "max_tokens" else name] = value
    return {**beside, **({"options": options} if options else {})}


def _call(raw: Mapping[str, Any]) -> RawCall:
    function = object_at(raw, "function")
    return RawCall(text_at(raw, "id"), text_at(function, "name"), function.get("arguments"))
