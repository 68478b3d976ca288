"""The gateway: one pooled client, all providers behind it, and chains of fallbacks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from promptops_providers.adaptation.compatibility import UNKNOWN, Compatibility
from promptops_providers.protocol import Completion, CompletionRequest, StreamEvent


@dataclass(frozen=True, slots=True)
class Credentials:
    """How a provider is reached; what is not given is the vendor's own address, or no key.

    `base_url` is the vendor's root, before `/v1/...`; one that ends in `/v1` works too.
    """

    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One link of a chain: the provider, its model (empty for the default), and how to reach it.

    `kind` is the adapter; empty, it is that of the provider's name. A stored connection may bear
    any name. `first_token_seconds` and `answer_seconds` take the place of the gateway's time-outs,
    `compatibility` that of what is usual at the host.
    """

    provider: str
    model: str = ""
    kind: str = ""
    credentials: Credentials = Credentials()
    first_token_seconds: int | None = None
    answer_seconds: int | None = None
    compatibility: Compatibility = UNKNOWN


class ModelGateway(Protocol):
    """What steps, agents and the playground need of the gateway.

    `targets` are tried in their order, at least one; `request.model` is not looked at. The
    completion's `provider` says which one answered. Raises `ProviderError` and nothing else: that
    of the last target tried. A stream falls back only before its first piece;
    iterate it inside `contextlib.aclosing`, because closing it is what closes the connection.
    """

    async def complete(
        self, request: CompletionRequest, targets: Sequence[Target]
    ) -> Completion: ...

    def stream(
        self, request: CompletionRequest, targets: Sequence[Target]
    ) -> AsyncGenerator[StreamEvent, None]: ...
