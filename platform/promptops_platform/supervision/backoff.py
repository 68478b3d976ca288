"""How long to wait before a process that died is restarted."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Doubles from `first` to `longest` seconds; is reset after `stable` seconds of uptime."""

    first: float = 0.5
    longest: float = 30.0
    stable: float = 30.0

    def seconds(self, failures: int) -> float:
        """Return the pause after `failures` (1 or more) consecutive early ends, spread over its
        upper half.

        The spread keeps replicas that lost the same dependency from restarting simultaneously.
        """
        full = min(self.longest, self.first * 2.0 ** min(failures - 1, 30))
        return full * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
