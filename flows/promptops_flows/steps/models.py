"""Which model a step asks and over which connection it is reached, and where webhooks go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from promptops_providers.adaptation.compatibility import UNKNOWN, Compatibility
from promptops_providers.gateway import Target


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """`model` is empty when the provider's default is meant."""

    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class Connection:
    """How steps that name this `provider` reach it. `kind` is the gateway's adapter; an empty
    `model` is that adapter's default. The key stays in memory: it is no part of the repr, of logs,
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
        """The connection that resolved to this target."""
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
    """Where a webhook is delivered, and the secrets that sign it, the newest first. It stays in
    memory: it is no part of the repr, of logs, or of what Prefect stores."""

    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
