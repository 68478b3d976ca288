"""Counts the model calls of this process and their outcomes."""

from __future__ import annotations

from collections import Counter
from typing import Any

from promptops_providers.errors import ProviderError
from promptops_providers.gateway import Target
from promptops_providers.protocol import Completion, CompletionRequest
from promptops_providers.provider_names import PROVIDER_NAMES

_OK = "ok"
_ABANDONED = "abandoned"
_OTHER = "other"


class CallCounts:
    """Counts by the kind of provider and by outcome, which is `ok`, `abandoned` or an error's code;
    fallbacks by the provider and the error that caused them. Observes a gateway."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.fallbacks: Counter[tuple[str, str]] = Counter()

    def begin(self, request: CompletionRequest, target: Target, *, streams: bool) -> _CountedCall:
        return _CountedCall(self, _kind(target))

    def fell_back(self, target: Target, error: ProviderError) -> None:
        self.fallbacks[_kind(target), error.code] += 1


def listed(counts: Counter[tuple[str, str]]) -> list[list[Any]]:
    """The counts as JSON lists."""
    return [[provider, outcome, count] for (provider, outcome), count in counts.items()]


class _CountedCall:
    def __init__(self, counts: CallCounts, kind: str) -> None:
        self._counts = counts
        self._kind = kind

    def first_piece(self) -> None:
        return

    def answered(self, completion: Completion) -> None:
        self._counts.calls[self._kind, _OK] += 1

    def failed(self, error: ProviderError) -> None:
        self._counts.calls[self._kind, error.code] += 1

    def abandoned(self) -> None:
        self._counts.calls[self._kind, _ABANDONED] += 1


def _kind(target: Target) -> str:
    """One of a few names: a connection may have any name."""
    kind = target.kind or target.provider
    return kind if kind in PROVIDER_NAMES else _OTHER
