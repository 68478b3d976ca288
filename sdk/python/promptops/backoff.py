"""How long to wait before trying again."""

from __future__ import annotations

import random


class Backoff:
    """Exponential backoff with full jitter, in seconds.

    The n-th delay is drawn evenly from ``shortest`` to ``initial * 2**n``, at most ``longest``, so
    that clients that lost the same server don't come back at the same moment.
    Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
    """

    def __init__(self, initial: float, longest: float, shortest: float = 0.0) -> None:
        self._initial = initial
        self._longest = longest
        self._shortest = shortest
        self._ceiling = initial

    def delay(self) -> float:
        """The next delay; each call doubles the ceiling of the one after it."""
        ceiling = self._ceiling
        self._ceiling = min(ceiling * 2, self._longest)
        return random.uniform(self._shortest, ceiling)  # noqa: S311 (spreads load, guards no secret)

    def reset(self) -> None:
        """Begin again at ``initial``, after a success."""
        self._ceiling = self._initial
