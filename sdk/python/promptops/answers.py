"""What is answered to a program, and what instead when the server can't be asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from promptops.errors import NotFoundError
from promptops.memory import Failure, Known, Memory, Outcome
from promptops.prompts import Prompt, Variant, default_variant

MEMORY, SERVER, DEFAULT = "memory", "server", "default"


@dataclass(frozen=True)
class Answer:
    """One variant, and where it comes from."""

    variant: Variant
    source: str
    revision: int | None = None
    age: float | None = None

    def prompt(self) -> Prompt:
        """What `get_prompt` answers."""
        return self.variant.prompt(self.source, self.revision, self.age)


class Answers:
    """Makes answers of what is known."""

    def __init__(
        self, memory: Memory, environment: str, find_copy: Callable[[str], Known | None]
    ) -> None:
        self._memory = memory
        self._find_copy = find_copy
        self._environment = environment

    def at_once(
        self,
        key: str,
        subject: str | None,
        default: str | None,
        refresh: Callable[[str], object],
    ) -> Answer | None:
        """What can be answered without waiting, if anything can.

        `refresh` is asked for the server's copy, in the background, where it should be newer.
        While the server hangs, a copy on disk or in the bundle, or the default, is answered.
        """
        held = self._memory.held.get(key)
        if held is not None and not self._memory.is_fresh(held):
            refresh(key)
            # Where no thread can be started the refresh is over by now.
            held = self._memory.held.get(key)
        if held is not None:
            return self._of(held, subject, MEMORY)
        fallback = self._memory.fallback(key)
        is_hanging = self._memory.is_hanging
        if fallback is None and is_hanging:
            fallback = self._find_copy(key)
        if fallback is not None:
            refresh(key)
            held = self._memory.held.get(key)
            if held is not None:
                return self._of(held, subject, MEMORY)
            return self._of(fallback, subject, fallback.source)
        if default is not None and is_hanging:
            refresh(key)
            return self._default(key, default)
        return None

    def after(self, key: str, subject: str | None, default: str | None, outcome: Outcome) -> Answer:
        """The answer after a fetch; raises its error where there is none."""
        if isinstance(outcome, Failure):
            return self._instead(key, subject, default, outcome)
        return self._of(outcome, subject, SERVER)

    def _of(self, known: Known, subject: str | None, source: str) -> Answer:
        age = self._memory.age(known, time.monotonic())
        return Answer(known.variant_for(subject), source, known.stamp.revision, age)

    def _instead(
        self, key: str, subject: str | None, default: str | None, failure: Failure
    ) -> Answer:
        if not isinstance(failure.error, NotFoundError):
            held = self._memory.held.get(key)
            if held is not None:
                return self._of(held, subject, MEMORY)
            if failure.fallback is not None:
                return self._of(failure.fallback, subject, failure.fallback.source)
        if default is not None:
            return self._default(key, default)
        raise failure.error.with_traceback(None)

    def _default(self, key: str, default: str) -> Answer:
        return Answer(default_variant(key, self._environment, default), DEFAULT)
