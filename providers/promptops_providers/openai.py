"""OpenAI: the Responses API at its own address, Chat Completions where that is the better way.

A base URL that is not OpenAI's leads to a server that imitates it, and those know Chat Completions;
it is also the only one of the two that takes `stop` and `seed`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import ClassVar

import httpx

from promptops_providers.default_models import DEFAULT_MODELS
from promptops_providers.openai_chat import ChatCompletions, Flavour
from promptops_providers.openai_responses import Responses
from promptops_providers.protocol import AdapterEvent, Completion, CompletionRequest
from promptops_providers.wire import Dialect, Wire

_CHAT_ONLY = ("stop", "seed")


class OpenAIChat(ChatCompletions):
    """Chat Completions as OpenAI itself speaks it."""

    flavour: ClassVar[Flavour] = Flavour(limit="max_completion_tokens", developer=True)


class OpenAI:
    dialect: ClassVar[Dialect] = Responses.dialect

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    @property
    def name(self) -> str:
        return self._wire.provider

    async def complete(self, request: CompletionRequest) -> Completion:
        request = replace(request, model=request.model or DEFAULT_MODELS["openai"])
        return await self._api_for(request).complete(request)

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[AdapterEvent, None]:
        request = replace(request, model=request.model or DEFAULT_MODELS["openai"])
        async with aclosing(self._api_for(request).stream(request)) as events:
            async for event in events:
                yield event

    def _api_for(self, request: CompletionRequest) -> ChatCompletions | Responses:
        given = (request.parameters.get(name) for name in _CHAT_ONLY)
        # No stop at all is an empty text or list; a seed of 0 is one like others.
        if self._is_imitated() or any(value not in (None, "", [], ()) for value in given):
            return OpenAIChat(self._wire)
        return Responses(self._wire)

    def _is_imitated(self) -> bool:
        given = self._wire.credentials.base_url
        try:
            return bool(given) and httpx.URL(given or "").host != httpx.URL(self.dialect.root).host
        except httpx.InvalidURL:
            return True  # refused with a sentence as soon as it is called
