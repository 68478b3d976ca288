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
from promptops_providers.openai.chat import ChatCompletions
from promptops_providers.openai.chat_request import AS_OPENAI, Flavour
from promptops_providers.openai.responses import Responses
from promptops_providers.protocol import AdapterEvent, Completion, CompletionRequest
from promptops_providers.transport.vendor_http import Dialect, VendorHttp

_CHAT_ONLY = ("stop", "seed")


class OpenAIChat(ChatCompletions):
    """Chat Completions as OpenAI itself speaks it."""

    flavour: ClassVar[Flavour] = Flavour(AS_OPENAI, file_addresses=False)


class OpenAI:
    dialect: ClassVar[Dialect] = Responses.dialect

    def __init__(self, wire: VendorHttp) -> None:
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
        values = (request.parameters.get(name) for name in _CHAT_ONLY)
        # No stop at all is an empty text or list; a seed of 0 is one like others.
        if self._is_imitated() or any(value not in (None, "", [], ()) for value in values):
            return OpenAIChat(self._wire)
        return Responses(self._wire)

    def _is_imitated(self) -> bool:
        base_url = self._wire.credentials.base_url
        try:
            return (
                bool(base_url)
                and httpx.URL(base_url or "").host != httpx.URL(self.dialect.root).host
            )
        except httpx.InvalidURL:
            return True  # refused with a sentence as soon as it is called
