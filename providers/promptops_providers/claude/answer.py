"""An answer of Anthropic's Messages API, whole or put together from its stream.

https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from promptops_providers.answers.endings import stop_reason, word_at
from promptops_providers.answers.estimates import estimated_usage, reported_usage
from promptops_providers.answers.json_values import count_at, object_at, objects_at, text_at
from promptops_providers.answers.tool_calls import RawCall, read_calls
from promptops_providers.claude.request import AFTER, CONTENT, KIND, Asked
from promptops_providers.protocol import (
    Completion,
    CompletionRequest,
    StopReason,
    ToolCall,
    Usage,
)
from promptops_providers.transport.vendor_http import VendorHttp

_STOP_REASONS: Mapping[str, StopReason] = {
    "end_turn": "end",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
}
# A delta's type, and the text that it goes on with: of the delta, and of the block.
_TEXT_DELTAS = {"text_delta": "text", "thinking_delta": "thinking"}
_PLAIN_BLOCKS = ("text", "tool_use")


@dataclass(slots=True)
class Answer:
    """What has come so far."""

    wire: VendorHttp
    _message: dict[str, Any] = field(default_factory=dict)
    _usage: dict[str, Any] = field(default_factory=dict)
    _blocks: dict[int, dict[str, Any]] = field(default_factory=dict)
    _arguments: dict[int, str] = field(default_factory=dict)

    def take_message(self, message: Mapping[str, Any]) -> None:
        content = message.get("content")
        if not isinstance(content, list):
            raise self.wire.malformed("it has no content")
        self._message.update(message)
        self._usage.update(object_at(message, "usage"))
        for index, block in enumerate(content):
            self._begin_block(index, block)

    def take_event(self, event: Mapping[str, Any]) -> str:
        """The text that it adds. Events and deltas of types not known are passed over, as the API
        asks for."""
        match event.get("type"):
            case "message_start":
                self.take_message(object_at(event, "message"))
            case "content_block_start":
                self._begin_block(self._index_of(event), event.get("content_block"))
                return text_at(object_at(event, "content_block"), "text")
            case "content_block_delta":
                return self._take_delta(self._index_of(event), object_at(event, "delta"))
            case "message_delta":
                self._message.update(object_at(event, "delta"))
                # Counts are those of the whole so far; one that is missing or null has not changed.
                usage = object_at(event, "usage").items()
                self._usage.update({name: value for name, value in usage if value is not None})
        return ""

    def usage(self) -> Usage | None:
        cached = count_at(self._usage, "cache_read_input_tokens")
        # The count of the input leaves out what was read from the cache or written to it.
        prompt = count_at(self._usage, "input_tokens") + cached
        prompt += count_at(self._usage, "cache_creation_input_tokens")
        return reported_usage(prompt, count_at(self._usage, "output_tokens"), cached)

    def completion(self, request: CompletionRequest, asked: Asked) -> Completion:
        stop = word_at(self._message, "stop_reason")
        if not stop:
            raise self.wire.malformed("it has no stop reason")
        details = object_at(self._message, "stop_details")
        explanation = text_at(details, "explanation") or text_at(details, "category")
        reason = stop_reason(self.wire, stop, _STOP_REASONS, explanation)
        blocks = [self._blocks[index] for index in sorted(self._blocks)]
        text = "".join(text_at(block, "text") for block in blocks if block.get("type") == "text")
        calls = self._calls(reason)
        if reason == "tool_calls" and not calls:
            raise self.wire.malformed("it asks for tool calls, and has none")
        plain = all(block.get("type") in _PLAIN_BLOCKS for block in blocks)
        return Completion(
            text=text,
            model=text_at(self._message, "model") or asked.body["model"],
            usage=self.usage() or estimated_usage(request, text),
            stop_reason="tool_calls" if calls and reason == "end" else reason,
            tool_calls=calls,
            vendor_data={} if plain else {KIND: {CONTENT: blocks, AFTER: asked.digest}},
        )

    def _calls(self, reason: StopReason) -> tuple[ToolCall, ...]:
        """The calls; their blocks get the ids and arguments with which they may be sent back."""
        raws, blocks = [], []
        for index, block in sorted(self._blocks.items()):
            if block.get("type") == "tool_use":
                arguments = self._arguments.get(index, "").strip() or block.get("input")
                raws.append(RawCall(text_at(block, "id"), text_at(block, "name"), arguments))
                blocks.append(block)
        calls = read_calls(self.wire, raws, reason)
        for block, call in zip(blocks, calls, strict=True):
            block.update(id=call.id, input=call.arguments)
        return calls

    def _index_of(self, event: Mapping[str, Any]) -> int:
        index = event.get("index")
        if not isinstance(index, int):
            raise self.wire.malformed("a part of it has no index")
        return index

    def _begin_block(self, index: int, block: Any) -> None:
        if not isinstance(block, Mapping):
            raise self.wire.malformed("a part of its content is not an object")
        self._blocks[index] = dict(block)

    def _take_delta(self, index: int, delta: Mapping[str, Any]) -> str:
        block, kind = self._blocks.get(index), text_at(delta, "type")
        if block is None:
            raise self.wire.malformed("it continues a part of its content that has not begun")
        if kind in _TEXT_DELTAS:
            name = _TEXT_DELTAS[kind]
            block[name] = text_at(block, name) + text_at(delta, name)
        elif kind == "signature_delta":
            block["signature"] = text_at(delta, "signature")
        elif kind == "citations_delta":
            block["citations"] = [*objects_at(block, "citations"), delta.get("citation")]
        elif kind == "input_json_delta":
            begun = self._arguments.get(index, "")
            self._arguments[index] = begun + text_at(delta, "partial_json")
        return text_at(delta, "text") if kind == "text_delta" else ""
