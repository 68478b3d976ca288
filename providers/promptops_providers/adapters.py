"""The adapter of each kind of provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

import httpx

from promptops_providers.adaptation.compatibility import UNKNOWN, Compatibility
from promptops_providers.claude.adapter import Claude
from promptops_providers.errors import NotAvailableError
from promptops_providers.gateway import Target
from promptops_providers.gemini.adapter import Gemini
from promptops_providers.mock.adapter import MockProvider
from promptops_providers.ollama.adapter import Ollama
from promptops_providers.openai.adapter import OpenAI
from promptops_providers.openai.chat import ChatCompletions
from promptops_providers.protocol import Provider
from promptops_providers.provider_names import PROVIDER_NAMES
from promptops_providers.transport.vendor_http import Dialect, VendorHttp


class VendorAdapter(Provider, Protocol):
    """A provider behind HTTP. `dialect` is the same for all targets of the kind."""

    dialect: ClassVar[Dialect]

    def __init__(self, wire: VendorHttp) -> None: ...


_VENDORS: Mapping[str, type[VendorAdapter]] = {
    "openai": OpenAI,
    "claude": Claude,
    "gemini": Gemini,
    "ollama": Ollama,
    "openai-compatible": ChatCompletions,
}


def adapter_for(
    target: Target, client: httpx.AsyncClient, compatibility: Compatibility = UNKNOWN
) -> Provider:
    """Raises `NotAvailableError` for a kind without an adapter."""
    kind = target.kind or target.provider
    if kind == MockProvider.name:
        return MockProvider()
    adapter = _VENDORS.get(kind)
    if adapter is None:
        raise NotAvailableError(
            target.provider,
            f"provider {kind!r} is unknown, use one of {', '.join(PROVIDER_NAMES)}",
        )
    return adapter(
        VendorHttp(target.provider, adapter.dialect, target.credentials, client, compatibility)
    )
