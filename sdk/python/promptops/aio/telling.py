"""Telling listeners that may be coroutine functions."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from typing import Any

from promptops.aio.streams import CLOSE_SECONDS
from promptops.aio.waiting import end_task
from promptops.listeners import PROGRAMS_FAULTS, Telling

logger = logging.getLogger("promptops")


class Teller:
    """Tells one thing after the other, in the order in which they happened.

    In a task of its own, which lives as long as there is something to tell: a listener may close
    the client, and no fetch waits for listeners.
    """

    def __init__(self) -> None:
        self._untold: deque[Telling] = deque()
        self._task: asyncio.Task[None] | None = None
        # The listener that is awaited.
        self._listener: asyncio.Task[None] | None = None
        self._closed = False

    def tell(self, telling: Telling) -> None:
        """Soon, after all that is to be told already."""
        if self._closed:
            return
        self._untold.append(telling)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="promptops-tell")

    async def told(self) -> None:
        """Return once all is told; at once within a listener, which would wait for itself."""
        while self._task is not None and not self._is_idle():
            await asyncio.wait({self._task})

    def tasks(self) -> list[asyncio.Task[None]]:
        """What runs."""
        return [] if self._task is None else [self._task]

    async def close(self) -> None:
        """Tell nothing more, and cancel a listener that is not done, unless it asks for this."""
        self._closed = True
        self._untold.clear()
        if self._task is not None and not self._is_idle():
            await end_task(self._task)

    def _is_idle(self) -> bool:
        done = self._task is None or self._task.done()
        return done or asyncio.current_task() is self._listener

    async def _run(self) -> None:
        while self._untold:
            for answer in self._untold.popleft()():
                if inspect.isawaitable(answer):
                    await self._finish(answer)

    async def _finish(self, answer: Any) -> None:
        # In a task, to tell a listener that is cancelled from this being cancelled.
        listener = self._listener = asyncio.create_task(_logged(answer), name="promptops-listener")
        try:
            await asyncio.wait({listener})
        except asyncio.CancelledError:
            listener.cancel()
            await asyncio.wait({listener}, timeout=CLOSE_SECONDS)
            raise
        if listener.cancelled():
            logger.error("a listener was cancelled")


async def _logged(answer: Any) -> None:
    try:
        await answer
    except asyncio.CancelledError:
        raise
    except PROGRAMS_FAULTS:
        logger.exception("a listener failed")
