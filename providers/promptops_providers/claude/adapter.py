"""Claude by Anthropic's Messages API: https://platform.claude.com/docs/en/api/messages"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, ClassVar

from promptops_providers.answers.endings import with_usage_in_errors
from promptops_providers.answers.failures import ErrorClass
from promptops_providers.answers.json_values import object_at, text_at
from promptops_providers.claude.answer import Answer
from promptops_providers.claude.request import KIND, Asked, asked_of
from promptops_providers.default_models import DEFAULT_MODELS
from promptops_providers.errors import (
    AuthenticationError,
    BadRequestError,
    ContextTooLongError,
    OverloadedError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitedError,
    TargetUnusableError,
)
from promptops_providers.protocol import (
    AdapterEvent,
    Completion,
    CompletionRequest,
    Progress,
    StreamEnd,
    TextDelta,
)
from promptops_providers.schema_instructions import with_schema_in_words
from promptops_providers.transport.sse import ServerSentEvent
from promptops_providers.transport.vendor_http import Dialect, VendorHttp, message_of

PATH = "/v1/messages"
_API_VERSION = "2023-06-01"
_LAST = "message_stop"
# Of the server, whatever the model does.
_SIGN_OF_LIFE = "ping"
# https://platform.claude.com/docs/en/api/errors
_ERRORS: Mapping[str, ErrorClass] = {
    "authentication_error": AuthenticationError,
    "permission_error": AuthenticationError,
    "invalid_request_error": BadRequestError,
    "not_found_error": TargetUnusableError,
    "request_too_large": ContextTooLongError,
    "billing_error": QuotaExceededError,
    "rate_limit_error": RateLimitedError,
    "api_error": OverloadedError,
    "overloaded_error": OverloadedError,
    "timeout_error": ProviderTimeoutError,
}
# These come as bad requests, or as too many of them, and are told apart by their words alone.
_TOO_LONG = re.compile(r"prompt is too long|exceed context limit", re.IGNORECASE)
_NO_CREDIT = re.compile(r"credit balance is too low|API usage limits|spend limit", re.IGNORECASE)


def _headers(key: str | None) -> dict[str, str]:
    return {"anthropic-version": _API_VERSION, **({"x-api-key": key} if key else {})}


def _classify(status: int, body: Mapping[str, Any]) -> ErrorClass | None:
    del status
    kind = _ERRORS.get(text_at(object_at(body, "error"), "type"))
    message = message_of(body)[:1000]
    if kind is BadRequestError and _TOO_LONG.search(message):
        return ContextTooLongError
    if kind in (BadRequestError, RateLimitedError) and _NO_CREDIT.search(message):
        return QuotaExceededError
    return kind


class Claude:
    """Claude, or a server that imitates its API."""

    dialect: ClassVar[Dialect] = Dialect(
        root="https://api.anthropic.com", headers=_headers, classify=_classify
    )

    def __init__(self, wire: VendorHttp) -> None:
        self._wire = wire

    @property
    def name(self) -> str:
        return self._wire.provider

    async def complete(self, request: CompletionRequest) -> Completion:
        asked = self._asked(request)
        return self._read(await self._wire.answer(PATH, asked.body), request, asked)

    def _read(
        self, message: Mapping[str, Any], request: CompletionRequest, asked: Asked
    ) -> Completion:
        """A whole answer."""
        if message.get("type") == "error":
            raise self._wire.error_in_stream(message)
        answer = Answer(self._wire)
        with with_usage_in_errors(answer):
            answer.take_message(message)
            return answer.completion(request, asked)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[AdapterEvent, None]:
        asked = self._asked(request)
        body = {**asked.body, "stream": True}
        answer = Answer(self._wire)
        done = False
        with with_usage_in_errors(answer):
            async with aclosing(self._wire.events(PATH, body, until=_is_last)) as events:
                async for sent in events:
                    event = self._wire.json_object(sent.data)
                    if sent.is_whole:
                        yield StreamEnd(self._read(event, request, asked))
                        return
                    if event.get("type") == "error":
                        raise self._wire.error_in_stream(event)
                    piece = answer.take_event(event)
                    if piece:
                        yield TextDelta(piece)
                    elif event.get("type") != _SIGN_OF_LIFE:
                        yield Progress()
                    done = done or event.get("type") == _LAST
            if not done:
                raise self._wire.cut_off()
            yield StreamEnd(answer.completion(request, asked))

    def _asked(self, request: CompletionRequest) -> Asked:
        """Raises UnsupportedPartError."""
        if self._wire.compatibility.wants_words:
            request = with_schema_in_words(request)
        return asked_of(request, request.model or DEFAULT_MODELS[KIND], self.name)


def _is_last(event: ServerSentEvent) -> bool:
    return event.name == _LAST
