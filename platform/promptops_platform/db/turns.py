"""Decides which transaction writes next, where a database has a single writer."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

# Longest time that a background transaction waits for others, so that it gets its turn under
# constant edits.
PATIENCE_SECONDS = 0.1


class WriterTurns:
    """Gives priority to transactions that a caller waits for.

    Only one background transaction at a time queues for the writer: an edit waits for at most one
    of them, however many there are.
    """

    def __init__(self) -> None:
        self._open_count = 0
        self._none_open = asyncio.Event()
        self._none_open.set()
        self._background = asyncio.Lock()

    @contextmanager
    def foreground(self) -> Iterator[None]:
        """For a transaction that queues at once."""
        self._open_count += 1
        self._none_open.clear()
        try:
            yield
        finally:
            self._open_count -= 1
            if not self._open_count:
                self._none_open.set()

    @asynccontextmanager
    async def background(self) -> AsyncIterator[None]:
        """For a transaction that waits until no other is open, at most PATIENCE_SECONDS, or for
        its turn among those of the background."""
        async with self._background:
            await self.wait_until_none_open()
            yield

    async def wait_until_none_open(self) -> None:
        """Wait until no foreground transaction is open, at most PATIENCE_SECONDS."""
        if self._none_open.is_set():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._none_open.wait()
