"""Limits how many steps with the same concurrency key run at a time, across all runs of the
engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

# The keys that the steps around this one occupy: an inner run that waited for them would wait for
# ever.
_held: ContextVar[frozenset[str]] = ContextVar("held", default=frozenset())


class Slots:
    """The slots of each key that is in use."""

    def __init__(self) -> None:
        self._running: dict[str, int] = {}
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def occupy(self, key: str, slots: int) -> AsyncIterator[None]:
        """Wait until fewer than `slots` steps with the key run; an empty key has no limit."""
        if not key or key in _held.get():
            yield
            return
        async with self._freed:
            await self._freed.wait_for(lambda: self._running.get(key, 0) < slots)
            self._running[key] = self._running.get(key, 0) + 1
        token = _held.set(_held.get() | {key})
        try:
            yield
        finally:
            _held.reset(token)
            await self._free(key)

    async def _free(self, key: str) -> None:
        async with self._freed:
            self._running[key] -= 1
            if not self._running[key]:
                del self._running[key]
            self._freed.notify_all()
