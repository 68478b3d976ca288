"""Providers by name, in the order in which clients list them."""

from __future__ import annotations

from promptops_providers.errors import NotAvailableError
from promptops_providers.mock import MockProvider
from promptops_providers.protocol import Provider

PROVIDER_NAMES: tuple[str, ...] = ("mock", "openai", "claude", "ollama", "gemini")
DEFAULT_PROVIDER = "mock"


def get_provider(name: str, *, api_key: str | None = None, base_url: str | None = None) -> Provider:
    """The provider of that name; raises `NotAvailableError` for one that has no adapter.

    The mock provider needs no key and no address, and ignores both.
    """
    del api_key, base_url
    if name == MockProvider.name:
        return MockProvider()
    if name in PROVIDER_NAMES:
        sentence = f"provider {name} is not available in this version, use mock"
    else:
        sentence = f"provider {name!r} is unknown, use one of {', '.join(PROVIDER_NAMES)}"
    raise NotAvailableError(name, sentence)
