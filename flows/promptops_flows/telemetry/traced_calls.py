"""Records model calls as spans, by OpenTelemetry's semantic conventions for generative AI
(1.41)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.trace import Span, SpanKind

from promptops_flows.telemetry.text_policy import EVERYTHING, TextPolicy, current_policy
from promptops_flows.telemetry.tracing import Tracing, fail, prompt_attributes
from promptops_providers.answers.redaction import Redactor
from promptops_providers.errors import ProviderError
from promptops_providers.gateway import Target
from promptops_providers.parts import shown_url
from promptops_providers.protocol import (
    Completion,
    CompletionRequest,
    FilePart,
    ImagePart,
    Message,
    StopReason,
    TextPart,
    Usage,
)

_PROVIDERS = {"claude": "anthropic", "gemini": "gcp.gemini"}
_FINISH: Mapping[StopReason, str] = {
    "end": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "empty": "stop",
}
_NUMBERS = ("temperature", "top_p", "max_tokens", "seed")
_LONGEST_TEXT = 32_768


class TracedCalls:
    """Observes a gateway: one client span for each call of a target, as a child of the current
    span. Unless the tracing allows texts, they are left out, and so are the vendors' error
    messages, which may quote them. What the run's text policy forbids to store is always left out;
    `texts` is the policy for calls outside of runs."""

    def __init__(self, tracing: Tracing, texts: TextPolicy = EVERYTHING) -> None:
        self._tracer = tracing.tracer()
        self._content = tracing.content
        self._texts = texts

    def begin(self, request: CompletionRequest, target: Target, *, streams: bool) -> _TracedCall:
        span = self._tracer.start_span(
            f"chat {request.model}".rstrip(),
            kind=SpanKind.CLIENT,
            attributes=_attributes(request, target, streams=streams),
        )
        texts = current_policy.get() or self._texts
        shown = _ShownTexts(Redactor([target.credentials.api_key]), texts)
        content = self._content and texts.keeps_texts
        if content:
            span.set_attribute("gen_ai.input.messages", _messages(shown, *request.messages))
        return _TracedCall(span, shown, content=content)

    def fell_back(self, target: Target, error: ProviderError) -> None:
        """Visible in the trace: a failed span is followed by the next one."""


class _ShownTexts:
    """Removes the call's key and everything that may not be stored from its texts."""

    def __init__(self, redact: Redactor, texts: TextPolicy) -> None:
        self._redact = redact
        self._texts = texts

    def text(self, text: str) -> str:
        return self._texts.text(self._redact(text)) or ""

    def json(self, value: Any) -> Any:
        return self._texts.json(self._redact.within(value))


class _TracedCall:
    def __init__(self, span: Span, shown: _ShownTexts, *, content: bool) -> None:
        self._span = span
        self._shown = shown
        self._content = content
        self._began = time.perf_counter()

    def first_piece(self) -> None:
        seconds = time.perf_counter() - self._began
        self._span.set_attribute("gen_ai.response.time_to_first_chunk", seconds)

    def answered(self, completion: Completion) -> None:
        self._span.set_attributes(
            {
                "gen_ai.response.model": completion.model,
                "gen_ai.response.finish_reasons": [_FINISH[completion.stop_reason]],
            }
        )
        self._set_usage(completion.usage)
        if completion.notes:
            self._span.set_attribute("promptops.notes", list(completion.notes))
        if self._content:
            self._span.set_attribute(
                "gen_ai.output.messages",
                _messages(self._shown, completion.as_message(), completion),
            )
        self._span.end()

    def failed(self, error: ProviderError) -> None:
        if error.usage is not None:
            self._set_usage(error.usage)
        fail(self._span, error.code)
        self._span.end()

    def _set_usage(self, usage: Usage) -> None:
        self._span.set_attributes(
            {
                "gen_ai.usage.input_tokens": usage.prompt_tokens,
                "gen_ai.usage.output_tokens": usage.output_tokens,
                "promptops.usage.estimated": usage.estimated,
            }
        )
        if usage.cached_tokens:
            self._span.set_attribute("gen_ai.usage.cache_read.input_tokens", usage.cached_tokens)

    def abandoned(self) -> None:
        fail(self._span, "abandoned")
        self._span.end()


def _attributes(
    request: CompletionRequest, target: Target, *, streams: bool
) -> dict[str, str | bool | int | float | list[str]]:
    kind = target.kind or target.provider
    attributes: dict[str, str | bool | int | float | list[str]] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _PROVIDERS.get(kind, kind),
        "gen_ai.output.type": "text" if request.output_schema is None else "json",
        "promptops.connection": target.provider,
        **prompt_attributes(request.prompt),
    }
    if request.model:
        attributes["gen_ai.request.model"] = request.model
    if streams:
        attributes["gen_ai.request.stream"] = True
    for name in _NUMBERS:
        value = request.parameters.get(name)
        if isinstance(value, int | float):
            attributes[f"gen_ai.request.{name}"] = value
    stop = request.parameters.get("stop")
    if stop:
        attributes["gen_ai.request.stop_sequences"] = (
            [stop] if isinstance(stop, str) else list(stop)
        )
    return attributes | _server(target.credentials.base_url)


def _server(base_url: str | None) -> dict[str, str | int]:
    """The provider's address if it isn't the vendor's default."""
    try:
        parts = urlsplit(base_url or "")
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return {}
    return {"server.address": parts.hostname, "server.port": port} if parts.hostname else {}


def _messages(texts: _ShownTexts, *turns: Message | Completion) -> str:
    """The turns in the conventions' JSON, redacted; a completion sets the finish reason of its
    message, the previous one."""
    shown: list[dict[str, Any]] = []
    for turn in turns:
        if isinstance(turn, Completion):
            shown[-1]["finish_reason"] = _FINISH[turn.stop_reason]
        else:
            shown.append({"role": turn.role, "parts": _parts(texts, turn)})
    return json.dumps(shown, ensure_ascii=False)


def _parts(texts: _ShownTexts, message: Message) -> list[dict[str, Any]]:
    text = texts.text(message.content)[:_LONGEST_TEXT]
    if message.role == "tool":
        return [{"type": "tool_call_response", "id": message.tool_call_id, "response": text}]
    parts: list[dict[str, Any]] = [{"type": "text", "content": text}] if text else []
    parts += [_media(texts, part) for part in message.parts if not isinstance(part, TextPart)]
    for call in message.tool_calls:
        arguments = texts.json(dict(call.arguments))
        parts.append(
            {"type": "tool_call", "id": call.id, "name": call.name, "arguments": arguments}
        )
    return parts


def _media(texts: _ShownTexts, part: ImagePart | FilePart) -> dict[str, Any]:
    """The address of an image or a file; for inline data, its beginning."""
    modality = "image" if isinstance(part, ImagePart) else "document"
    return {"type": "uri", "modality": modality, "uri": texts.text(shown_url(part))}
