"""Cleans up in an event loop that the client has left."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from promptops.aio.fetch_tasks import AsyncFetcher
from promptops.aio.http import AsyncHttpClient
from promptops.aio.notifier import Notifier
from promptops.aio.watch import AsyncWatch

# In a child process: the parent's connections, which must not be closed, and whose loop must not be
# touched.
_of_the_parent: list[PreviousLoop] = []


@dataclass(frozen=True)
class PreviousLoop:
    """The connections and tasks of one loop."""

    http: AsyncHttpClient
    fetcher: AsyncFetcher
    notifier: Notifier
    watch: AsyncWatch | None

    def keep_open(self) -> None:
        """Never free them, because the finalizer of a connection uses the parent's loop."""
        _of_the_parent.append(self)

    def end_in(self, loop: asyncio.AbstractEventLoop) -> None:
        """End them in their loop if it still runs; a closed loop has ended them."""
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        watch = [] if self.watch is None else self.watch.tasks()
        for task in [*watch, *self.fetcher.tasks(), *self.notifier.tasks()]:
            task.cancel()
        self.http.drop()
