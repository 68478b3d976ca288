"""Gemini by generateContent: https://ai.google.dev/api/generate-content"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, ClassVar

from promptops_providers.answers.endings import stop_reason, with_usage_in_errors, word_at
from promptops_providers.answers.estimates import estimated_usage, reported_usage
from promptops_providers.answers.json_values import count_at, object_at, objects_at, text_at
from promptops_providers.answers.tool_calls import RawCall, read_calls
from promptops_providers.default_models import DEFAULT_MODELS
from promptops_providers.errors import BadRequestError, RefusedError
from promptops_providers.gemini.errors import classify, retry_after
from promptops_providers.gemini.request import KIND, PARTS, body_of
from promptops_providers.protocol import (
    AdapterEvent,
    Completion,
    CompletionRequest,
    Progress,
    StopReason,
    StreamEnd,
    TextDelta,
    ToolCall,
    Usage,
)
from promptops_providers.schema_instructions import with_schema_in_words
from promptops_providers.transport.vendor_http import Dialect, VendorHttp

_MODEL = re.compile(r"(?:(?:models|tunedModels)/)?[\w.@-]+", re.ASCII)
_STOP_REASONS: Mapping[str, StopReason] = {"stop": "end", "max_tokens": "length"}


def _headers(key: str | None) -> dict[str, str]:
    return {"x-goog-api-key": key} if key else {}


class Gemini:
    dialect: ClassVar[Dialect] = Dialect(
        root="https://generativelanguage.googleapis.com",
        headers=_headers,
        classify=classify,
        retry_after=retry_after,
    )

    def __init__(self, wire: VendorHttp) -> None:
        self._wire = wire

    @property
    def name(self) -> str:
        return self._wire.provider

    async def complete(self, request: CompletionRequest) -> Completion:
        model = request.model or DEFAULT_MODELS[KIND]
        body = await self._wire.answer(
            self._path(model, "generateContent"), self._body(request, model)
        )
        answer = _Answer(self._wire)
        with with_usage_in_errors(answer):
            answer.take(body)
            return answer.completion(request, model)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[AdapterEvent, None]:
        model = request.model or DEFAULT_MODELS[KIND]
        path = self._path(model, "streamGenerateContent?alt=sse")
        answer = _Answer(self._wire)
        with with_usage_in_errors(answer):
            async with aclosing(self._wire.events(path, self._body(request, model))) as events:
                # No event says that it is the last: some send one more after the reason for the
                # end.
                async for event in events:
                    piece = answer.take(self._wire.json_object(event.data))
                    yield TextDelta(piece) if piece else Progress()
            if not answer.finish:
                raise self._wire.cut_off()
            yield StreamEnd(answer.completion(request, model))

    def _body(self, request: CompletionRequest, model: str) -> dict[str, Any]:
        if self._wire.compatibility.wants_words:
            request = with_schema_in_words(request)
        return body_of(request, model, self.name)

    def _path(self, model: str, method: str) -> str:
        if not _MODEL.fullmatch(model):
            raise self._wire.error(BadRequestError, f"{model!r} is not the name of a model")
        path = model if "/" in model else f"models/{model}"
        return f"/v1beta/{path}:{method}"


@dataclass(slots=True)
class _Answer:
    """What has come so far: an answer is one chunk, a stream is many."""

    wire: VendorHttp
    finish: str = ""
    _finish_message: str = ""
    _model: str = ""
    _usage: dict[str, Any] = field(default_factory=dict)
    _parts: list[dict[str, Any]] = field(default_factory=list)

    def take(self, chunk: Mapping[str, Any]) -> str:
        """The text that it adds."""
        if chunk.get("error"):
            raise self.wire.error_in_stream(chunk)
        self._usage.update(object_at(chunk, "usageMetadata"))
        feedback = object_at(chunk, "promptFeedback")
        if feedback.get("blockReason"):
            raise self._refused(
                text_at(feedback, "blockReason"), text_at(feedback, "blockReasonMessage")
            )
        self._model = text_at(chunk, "modelVersion") or self._model
        candidates = objects_at(chunk, "candidates")
        if not candidates:
            return ""
        self.finish = word_at(candidates[0], "finishReason") or self.finish
        self._finish_message = text_at(candidates[0], "finishMessage") or self._finish_message
        parts = objects_at(object_at(candidates[0], "content"), "parts")
        for part in parts:
            self._keep(part)
        return "".join(_text_of(part) for part in parts)

    def usage(self) -> Usage | None:
        # The count of the prompt includes what was read from the cache, but not what tools of
        # Google's own put in; that of the candidates leaves out the thoughts.
        counts = self._usage
        return reported_usage(
            count_at(counts, "promptTokenCount") + count_at(counts, "toolUsePromptTokenCount"),
            count_at(counts, "candidatesTokenCount") + count_at(counts, "thoughtsTokenCount"),
            count_at(counts, "cachedContentTokenCount"),
        )

    def completion(self, request: CompletionRequest, model: str) -> Completion:
        if not self.finish:
            raise self.wire.malformed("it has no candidate that was finished")
        reason = stop_reason(self.wire, self.finish, _STOP_REASONS, self._finish_message)
        text = "".join(_text_of(part) for part in self._parts)
        calls = self._calls(reason)
        plain = all(
            len(part) == 1 and ("text" in part or "functionCall" in part) for part in self._parts
        )
        return Completion(
            text=text,
            model=self._model or model,
            usage=self.usage() or estimated_usage(request, text),
            stop_reason="tool_calls" if calls and reason == "end" else reason,
            tool_calls=calls,
            # A signature belongs to its very part.
            vendor_data={} if plain and not calls else {KIND: {PARTS: self._parts}},
        )

    def _keep(self, part: Mapping[str, Any]) -> None:
        """Text that came in pieces becomes one part; one that is signed stays by itself."""
        last = self._parts[-1] if self._parts else {}
        is_more = set(part) <= {"text", "thought"} and set(last) == set(part)
        if is_more and part.get("thought") == last.get("thought"):
            last["text"] = text_at(last, "text") + text_at(part, "text")
        elif part and part != {"text": ""}:
            self._parts.append(dict(part))

    def _calls(self, reason: StopReason) -> tuple[ToolCall, ...]:
        """The calls; a part whose arguments can't be used gets some that may be sent back."""
        parts = [part for part in self._parts if "functionCall" in part]
        sent = [object_at(part, "functionCall") for part in parts]
        calls = read_calls(
            self.wire,
            [
                RawCall(text_at(call, "id"), text_at(call, "name"), call.get("args"))
                for call in sent
            ],
            reason,
        )
        for part, call in zip(parts, calls, strict=True):
            if call.problem:
                part["functionCall"] = {**part["functionCall"], "args": call.arguments}
        return calls

    def _refused(self, reason: str, message: str) -> RefusedError:
        return self.wire.error(RefusedError, vendor_words=_both(reason, message))


def _both(reason: str, message: str) -> str:
    return f"{reason}: {message}" if message else reason


def _text_of(part: Mapping[str, Any]) -> str:
    """Of the answer, not of the thoughts that led to it."""
    return "" if part.get("thought") else text_at(part, "text")
