"""What is answered to a program, and what instead when the server can't be asked."""

from __future__ import annotations

import time
from dataclasses import dataclass

from promptops.errors import ClientClosedError, NotFoundError, PromptOpsError
from promptops.memory import Known, Memory
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

    def __init__(self, memory: Memory, environment: str) -> None:
        self._memory = memory
        self._environment = environment

    def of(self, known: Known, subject: str | None, source: str) -> Answer:
        """A copy's answer to this subject."""
        age = self._memory.age(known, time.monotonic())
        return Answer(known.variant_for(subject), source, known.stamp.revision, age)

    def instead(
        self, key: str, subject: str | None, default: str | None, error: PromptOpsError
    ) -> Answer:
        """The next best answer, where the server's was this error, which is raised without any."""
        if isinstance(error, ClientClosedError):
            raise error
        if not isinstance(error, NotFoundError):
            held, failure = self._memory.held.get(key), self._memory.failures.get(key)
            if held is not None:
                return self.of(held, subject, MEMORY)
            if failure is not None and failure.fallback is not None:
                return self.of(failure.fallback, subject, failure.fallback.source)
        if default is not None:
            return Answer(default_variant(key, self._environment, default), DEFAULT)
        raise error
