"""The adapter of each kind of provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

import httpx

from promptops_providers.errors import NotAvailableError
from promptops_providers.gateway import Target
from promptops_providers.mock import MockProvider
from promptops_providers.ollama import Ollama
from promptops_providers.openai import OpenAI
from promptops_providers.openai_chat import ChatCompletions
from promptops_providers.protocol import Provider
from promptops_providers.registry import PROVIDER_NAMES
from promptops_providers.wire import Dialect, Wire


class VendorAdapter(Provider, Protocol):
    """A provider behind HTTP. `dialect` is the same for all targets of the kind."""

    dialect: ClassVar[Dialect]

    def __init__(self, wire: Wire) -> None: ...


_VENDORS: Mapping[str, type[VendorAdapter]] = {
    "openai": OpenAI,
    "ollama": Ollama,
    "openai-compatible": ChatCompletions,
}


def adapter_for(target: Target, client: httpx.AsyncClient) -> Provider:
    """Raises `NotAvailableError` for a kind without an adapter."""
    kind = target.kind or target.provider
    if kind == MockProvider.name:
        return MockProvider()
    adapter = _VENDORS.get(kind)
    if adapter is not None:
        return adapter(Wire(target.provider, adapter.dialect, target.credentials, client))
    if kind in PROVIDER_NAMES:
        sentence = f"provider {kind} is not available in this version, use mock"
    else:
        sentence = f"provider {kind!r} is unknown, use one of {', '.join(PROVIDER_NAMES)}"
    raise NotAvailableError(target.provider, sentence)
