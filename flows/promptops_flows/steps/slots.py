"""Steps with the same concurrency key run a few at a time, in all runs of the engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

# What steps around this one have: an inner run that waited for it would wait for ever.
_held: ContextVar[frozenset[str]] = ContextVar("held", default=frozenset())


class Slots:
    """The places of each key that is in use."""

    def __init__(self) -> None:
        self._running: dict[str, int] = {}
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def hold(self, key: str, slots: int) -> AsyncIterator[None]:
        """Wait until fewer than `slots` steps with the key run; an empty key waits for nobody."""
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
