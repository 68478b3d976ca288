"""The results of calls, and their fallbacks if the server can't respond."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from promptops.errors import NotFoundError
from promptops.prompt_store import CachedPrompt, Failure, Outcome, PromptStore
from promptops.prompts import Prompt, Variant, default_variant

MEMORY, SERVER, DEFAULT = "memory", "server", "default"


@dataclass(frozen=True)
class PromptResult:
    """One variant and its source."""

    variant: Variant
    source: str
    revision: int | None = None
    age: float | None = None

    def prompt(self) -> Prompt:
        """Return the dict of `get_prompt`."""
        return self.variant.prompt(self.source, self.revision, self.age)


class PromptResults:
    """Builds the results of calls."""

    def __init__(
        self, store: PromptStore, environment: str, find_copy: Callable[[str], CachedPrompt | None]
    ) -> None:
        self._store = store
        self._find_copy = find_copy
        self._environment = environment

    def immediate_result(
        self,
        key: str,
        subject: str | None,
        default: str | None,
        refresh: Callable[[str], object],
    ) -> PromptResult | None:
        """Return the result if one is available without waiting.

         It calls `refresh` to fetch in the background if the copy is old. While the server hangs,
        it returns a copy from disk or the bundle, or the default.
        """
        cached = self._store.cached.get(key)
        if cached is not None and not self._store.is_fresh(cached):
            refresh(key)
            # Without a thread, the refresh has finished here.
            cached = self._store.cached.get(key)
        if cached is not None:
            return self._result_from(cached, subject, MEMORY)
        fallback = self._store.failure_copy(key)
        is_hanging = self._store.is_hanging
        if fallback is None and is_hanging:
            fallback = self._find_copy(key)
        if fallback is not None:
            refresh(key)
            cached = self._store.cached.get(key)
            if cached is not None:
                return self._result_from(cached, subject, MEMORY)
            return self._result_from(fallback, subject, fallback.source)
        if default is not None and is_hanging:
            refresh(key)
            return self._default_result(key, default)
        return None

    def result_of(
        self, key: str, subject: str | None, default: str | None, outcome: Outcome
    ) -> PromptResult:
        """Return the result of a fetch; raises its error if there is no fallback."""
        if isinstance(outcome, Failure):
            return self._fallback_result(key, subject, default, outcome)
        return self._result_from(outcome, subject, SERVER)

    def _result_from(self, entry: CachedPrompt, subject: str | None, source: str) -> PromptResult:
        age = self._store.age_of(entry, time.monotonic())
        return PromptResult(entry.variant_for(subject), source, entry.position.revision, age)

    def _fallback_result(
        self, key: str, subject: str | None, default: str | None, failure: Failure
    ) -> PromptResult:
        if not isinstance(failure.error, NotFoundError):
            cached = self._store.cached.get(key)
            if cached is not None:
                return self._result_from(cached, subject, MEMORY)
            if failure.fallback is not None:
                return self._result_from(failure.fallback, subject, failure.fallback.source)
        if default is not None:
            return self._default_result(key, default)
        raise failure.error.with_traceback(None)

    def _default_result(self, key: str, default: str) -> PromptResult:
        return PromptResult(default_variant(key, self._environment, default), DEFAULT)
