"""Chat Completions: OpenAI's earlier wire format, by now the world's.

https://developers.openai.com/api/reference/resources/chat
Servers differ in what they leave out: usage, ids, the index of a tool call, the last `[DONE]`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from promptops_providers.adaptation.compatibility import usual_at
from promptops_providers.answers.endings import stop_reason, with_usage_in_errors, word_at
from promptops_providers.answers.estimates import estimated_usage
from promptops_providers.answers.json_values import object_at, objects_at
from promptops_providers.answers.tool_calls import RawCall, read_calls
from promptops_providers.errors import RefusedError
from promptops_providers.openai.chat_reasoning import EXTRA, Reasoning
from promptops_providers.openai.chat_request import Flavour, body_of
from promptops_providers.openai.errors import classify
from promptops_providers.openai.usage import chat_usage
from promptops_providers.protocol import (
    AdapterEvent,
    Completion,
    CompletionRequest,
    Progress,
    StopReason,
    StreamEnd,
    TextDelta,
    Usage,
)
from promptops_providers.transport.sse import ServerSentEvent
from promptops_providers.transport.vendor_http import Dialect, VendorHttp, message_of

PATH = "/v1/chat/completions"
_DONE = "[DONE]"
# With those of servers that pass on what their engine says.
_STOP_REASONS: Mapping[str, StopReason] = {
    "": "end",
    "complete": "end",
    "completed": "end",
    "end": "end",
    "end_turn": "end",
    "eos": "end",
    "eos_token": "end",
    "function_call": "tool_calls",
    "length": "length",
    "max_output_tokens": "length",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "model_length": "length",
    "stop": "end",
    "stop_sequence": "stop_sequence",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
}


class ChatCompletions:
    """Any server that speaks Chat Completions. The base URL must be given, a key need not."""

    dialect: ClassVar[Dialect] = Dialect(root="", needs_key=False, classify=classify)
    flavour: ClassVar[Flavour] = Flavour()

    def __init__(self, wire: VendorHttp) -> None:
        self._wire = wire

    @property
    def name(self) -> str:
        return self._wire.provider

    async def complete(self, request: CompletionRequest) -> Completion:
        return self._read(await self._wire.answer(PATH, self._body(request)), request)

    def _read(self, body: Mapping[str, Any], request: CompletionRequest) -> Completion:
        """A whole answer."""
        answer = _Answer(self._wire, is_whole=True)
        with with_usage_in_errors(answer):
            choice = _first_choice(body)
            message = choice.get("message") if choice else None
            # Before its message is missed: some gateways answer an error with status 200.
            answer.take(body, choice)
            if not isinstance(message, Mapping):
                raise self._wire.malformed("it has no message")
            return answer.completion(request)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[AdapterEvent, None]:
        asked = {**self._body(request), "stream": True}
        if self._flavour().takes.stream_options:
            asked["stream_options"] = {"include_usage": True}
        answer = _Answer(self._wire)
        done = False
        with with_usage_in_errors(answer):
            async with aclosing(self._wire.events(PATH, asked, until=_is_done)) as events:
                async for event in events:
                    if _is_done(event):
                        done = True
                        continue
                    chunk = self._wire.json_object(event.data)
                    if event.is_whole:
                        yield StreamEnd(self._read(chunk, request))
                        return
                    piece = answer.take(chunk, _first_choice(chunk))
                    yield TextDelta(piece) if piece else Progress()
            if not (answer.finish or (done and answer.has_content)):
                raise self._wire.cut_off()
            yield StreamEnd(answer.completion(request))

    def _body(self, request: CompletionRequest) -> dict[str, Any]:
        return body_of(request, self._flavour(), self.name)

    def _flavour(self) -> Flavour:
        """That of the host, and what is known of this very server besides."""
        wire, flavour = self._wire, self.flavour
        usual = usual_at(wire.credentials.base_url).over(flavour.takes)
        return replace(flavour, takes=wire.compatibility.over(usual))


@dataclass(slots=True)
class _Answer:
    """What has come so far, whole or in pieces."""

    wire: VendorHttp
    is_whole: bool = False
    finish: str = ""
    model: str = ""
    refusal: str = ""
    reported: Mapping[str, Any] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)
    calls: list[RawCall] = field(default_factory=list)
    reasoning: Reasoning = field(default_factory=Reasoning)
    _has_deltas: bool = False
    # By index, and by index and id: some servers give all parallel calls the index 0.
    _begun: dict[tuple[int | None, str], RawCall] = field(default_factory=dict)

    def take(self, chunk: Mapping[str, Any], choice: Mapping[str, Any] | None) -> str:
        """The text in this chunk."""
        self.reported = _reported_usage(chunk, choice) or self.reported
        self._check(chunk, choice or {})
        self.model = _text(chunk.get("model")) or self.model
        if choice is None:
            return ""
        self.finish = word_at(choice, "finish_reason") or self.finish
        delta = self._delta(choice)
        if delta is None:
            return ""
        self.refusal += _text(delta.get("refusal"))
        self.reasoning.take(delta)
        for fragment in objects_at(delta, "tool_calls"):
            self._take_call(fragment)
        piece = _text_of_content(delta.get("content"))
        self.pieces.append(piece)
        return piece

    def _delta(self, choice: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Some servers send it as a message; after deltas, that is the whole answer once more."""
        delta, message = choice.get("delta"), choice.get("message")
        if isinstance(delta, Mapping):
            self._has_deltas = True
            return delta
        return message if isinstance(message, Mapping) and not self._has_deltas else None

    def _check(self, chunk: Mapping[str, Any], choice: Mapping[str, Any]) -> None:
        """Raises the error that stands in place of an answer, or of the rest of one."""
        if choice.get("error"):
            raise self.wire.error_in_stream({"error": choice["error"]})
        is_error = chunk.get("object") == "error" or chunk.get("type") == "error"
        if chunk.get("error") or is_error or ("choices" not in chunk and message_of(chunk)):
            raise self.wire.error_in_stream(chunk)

    def _take_call(self, fragment: Mapping[str, Any]) -> None:
        function = fragment.get("function")
        function = function if isinstance(function, Mapping) else {}
        call = self._call_of(fragment, _text(function.get("name")))
        call.id = call.id or _text(fragment.get("id"))
        # A name comes whole, once; servers that repeat it must not double it.
        call.name = call.name or _text(function.get("name"))
        call.extra.update(object_at(fragment, EXTRA))
        arguments = function.get("arguments")
        if isinstance(arguments, Mapping):
            call.arguments = arguments
        elif isinstance(arguments, str) and isinstance(call.arguments, str):
            call.arguments += arguments

    def _call_of(self, fragment: Mapping[str, Any], name: str) -> RawCall:
        index = fragment.get("index")
        index = index if isinstance(index, int) else None
        call_id = _text(fragment.get("id"))
        call = None if self.is_whole else self._begun_call(index, call_id, name)
        if call is None:
            call = RawCall()
            self.calls.append(call)
        if index is not None:
            self._begun[index, ""] = call
        if call_id:
            self._begun[index, call_id] = call
        return call

    def _begun_call(self, index: int | None, call_id: str, name: str) -> RawCall | None:
        """The call with which the fragment goes on, if it does."""
        if call_id and (index, call_id) in self._begun:
            return self._begun[index, call_id]
        if index is None:
            return self.calls[-1] if self.calls and not name else None
        latest = self._begun.get((index, ""))
        is_another = latest is not None and name and call_id and latest.id
        return None if is_another else latest

    @property
    def has_content(self) -> bool:
        return bool(self.calls or any(self.pieces))

    def usage(self) -> Usage | None:
        return chat_usage(self.reported)

    def completion(self, request: CompletionRequest) -> Completion:
        text = "".join(self.pieces)
        if self.refusal:
            raise self.wire.error(RefusedError, vendor_words=self.refusal)
        stop = stop_reason(self.wire, self.finish, _STOP_REASONS)
        calls = read_calls(self.wire, self.calls, stop)
        if stop == "tool_calls" and not (calls or text):
            raise self.wire.malformed("it asks for tool calls, and has none")
        kept = self.reasoning.vendor_data([call.extra for call in self.calls])
        return Completion(
            text=text,
            model=self.model or request.model,
            usage=self.usage() or estimated_usage(request, text),
            stop_reason="tool_calls" if calls else "end" if stop == "tool_calls" else stop,
            tool_calls=calls,
            vendor_data={self.wire.provider: kept} if kept else {},
        )


def _is_done(event: ServerSentEvent) -> bool:
    return event.data.strip() == _DONE


def _first_choice(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, Mapping) else None


def _reported_usage(
    chunk: Mapping[str, Any], choice: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """Moonshot reports it within the choice, and Groq beside."""
    return (
        object_at(chunk, "usage")
        or object_at(choice or {}, "usage")
        or object_at(object_at(chunk, "x_groq"), "usage")
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _text_of_content(content: Any) -> str:
    """The text, also of servers that send a list of parts."""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, Mapping))
    return _text(content)
