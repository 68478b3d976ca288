"""Pauses between attempts."""

from __future__ import annotations

import random


class Backoff:
    """Exponential backoff with full jitter, in seconds.

    The n-th delay is random between ``shortest`` and ``initial * 2**n``, at most ``longest``, so
    that clients that lost the same server do not reconnect at the same moment. Source: AWS
    Architecture Blog, "Exponential Backoff And Jitter".
    """

    def __init__(self, initial: float, longest: float, shortest: float = 0.0) -> None:
        self._initial = initial
        self._longest = longest
        self._shortest = shortest
        self._ceiling = initial

    @classmethod
    def for_failures(cls) -> Backoff:
        """Return the pauses after a connection or request that failed."""
        return cls(initial=0.5, longest=10)

    @classmethod
    def for_refusals(cls) -> Backoff:
        """Return the pauses after a refused token, which rarely becomes valid by itself."""
        return cls(initial=30, longest=300, shortest=10)

    def delay(self) -> float:
        """Return the next delay; each call doubles the ceiling of the next one."""
        ceiling = self._ceiling
        self._ceiling = min(ceiling * 2, self._longest)
        return random.uniform(self._shortest, ceiling)  # noqa: S311 (spreads load, guards no secret)

    def reset(self) -> None:
        """Start again at ``initial``, after a success."""
        self._ceiling = self._initial
