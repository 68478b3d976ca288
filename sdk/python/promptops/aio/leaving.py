"""What an event loop leaves behind when its client goes on in another one."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from promptops.aio.fetcher import AsyncFetcher
from promptops.aio.http import AsyncHttpClient
from promptops.aio.telling import Teller
from promptops.aio.watch import AsyncWatch

# In a child process: its parent's connections, which must not be closed, nor their loop touched.
_of_the_parent: list[Left] = []


@dataclass(frozen=True)
class Left:
    """The connections and tasks of one loop."""

    http: AsyncHttpClient
    fetcher: AsyncFetcher
    teller: Teller
    watch: AsyncWatch | None

    def keep_open(self) -> None:
        """Never free them: what a collected connection does reaches the parent's loop."""
        _of_the_parent.append(self)

    def end_in(self, loop: asyncio.AbstractEventLoop) -> None:
        """End them in their loop, if it can still run; one that was closed has ended them."""
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        watch = [] if self.watch is None else self.watch.tasks()
        for task in [*watch, *self.fetcher.tasks(), *self.teller.tasks()]:
            task.cancel()
        self.http.drop()
