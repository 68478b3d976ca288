"""Limits how many streams and waiting requests one caller may have open at once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from promptops_platform.errors import TooManyRequests

RETRY_AFTER_SECONDS = 5


class OpenStreams:
    """Counts requests that stay open for a long time without doing work."""

    def __init__(self, most_per_caller: int) -> None:
        self._most = most_per_caller
        self._open: Counter[str] = Counter()

    @contextmanager
    def opened(self, caller_id: str) -> Iterator[None]:
        """Count one more until the block ends; raises TooManyRequests."""
        if self._open[caller_id] >= self._most:
            raise TooManyRequests(
                f"too many streams at once: {self._most} events of runs and waiting requests of "
                "you are open; close some, or have an admin raise PROMPTOPS_STREAMS_PER_CALLER",
                retry_after=RETRY_AFTER_SECONDS,
            )
        self._open[caller_id] += 1
        try:
            yield
        finally:
            self._open[caller_id] -= 1
            if not self._open[caller_id]:
                del self._open[caller_id]
