"""Which model a step calls, over which connection, and where webhooks are sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from promptops_providers.adaptation.compatibility import UNKNOWN, Compatibility
from promptops_providers.gateway import Target


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """An empty `model` is the provider's default."""

    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class Connection:
    """The connection of steps that name this `provider`. `kind` is the gateway's adapter; an empty
    `model` is that adapter's default. The key stays in memory: it isn't part of the repr, of logs,
    or of what Prefect stores."""

    provider: str
    kind: str
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    model: str = ""
    first_token_seconds: int | None = None
    answer_seconds: int | None = None
    compatibility: Compatibility = UNKNOWN

    @classmethod
    def of(cls, target: Target) -> Self:
        """The connection for a resolved target."""
        credentials = target.credentials
        return cls(
            target.provider,
            target.kind,
            credentials.api_key,
            credentials.base_url,
            target.model,
            target.first_token_seconds,
            target.answer_seconds,
            target.compatibility,
        )


@dataclass(frozen=True, slots=True)
class Receiver:
    """The address for a webhook, and the secrets that sign it, newest first. It stays in memory: it
    isn't part of the repr, of logs, or of what Prefect stores."""

    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
