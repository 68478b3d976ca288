"""Notifies listeners, which may be coroutine functions."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from typing import Any

from promptops.aio.cancellation import end_task
from promptops.aio.streams import CLOSE_SECONDS
from promptops.listeners import PROGRAMS_FAULTS, Notification

logger = logging.getLogger("promptops")


class Notifier:
    """Delivers notifications one after the other, in the order of the events.

     It uses a separate task while notifications are queued, so that a listener may close the
    client, and no fetch waits for listeners.
    """

    def __init__(self) -> None:
        self._queue: deque[Notification] = deque()
        self._task: asyncio.Task[None] | None = None
        # The awaited listener.
        self._listener: asyncio.Task[None] | None = None
        self._closed = False

    def notify(self, notification: Notification) -> None:
        """Queue the notification after the others."""
        if self._closed:
            return
        self._queue.append(notification)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="promptops-notify")

    async def drained(self) -> None:
        """Wait until all notifications are delivered; returns immediately within a listener,
        which would wait for itself."""
        while self._task is not None and not self._is_idle():
            await asyncio.wait({self._task})

    def tasks(self) -> list[asyncio.Task[None]]:
        """Return the running tasks."""
        return [] if self._task is None else [self._task]

    async def close(self) -> None:
        """Deliver nothing more, and cancel a running listener, unless it makes this call."""
        self._closed = True
        self._queue.clear()
        if self._task is not None and not self._is_idle():
            await end_task(self._task)

    def _is_idle(self) -> bool:
        done = self._task is None or self._task.done()
        return done or asyncio.current_task() is self._listener

    async def _run(self) -> None:
        while self._queue:
            for outcome in self._queue.popleft()():
                if inspect.isawaitable(outcome):
                    await self._finish(outcome)

    async def _finish(self, awaitable: Any) -> None:
        # In a task, to distinguish a cancelled listener from a cancelled notifier.
        listener = self._listener = asyncio.create_task(
            _logged(awaitable), name="promptops-listener"
        )
        try:
            await asyncio.wait({listener})
        except asyncio.CancelledError:
            listener.cancel()
            await asyncio.wait({listener}, timeout=CLOSE_SECONDS)
            raise
        if listener.cancelled():
            logger.error("a listener was cancelled")


async def _logged(awaitable: Any) -> None:
    try:
        await awaitable
    except asyncio.CancelledError:
        raise
    except PROGRAMS_FAULTS:
        logger.exception("a listener failed")
