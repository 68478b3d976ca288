"""Fetching with tasks: one fetch for all that want a prompt, and refreshes in the background."""

from __future__ import annotations

import asyncio
import contextlib
import time

from promptops.aio.http import AsyncHttpClient
from promptops.errors import ClientClosedError, PromptOpsError
from promptops.fetching import Fetches, pause_before_another
from promptops.memory import Known

Call = asyncio.Task[Known]


class AsyncFetcher:
    """Asks the server; `timeout`, in seconds, is for a fetch with all its tries."""

    def __init__(self, http: AsyncHttpClient, fetches: Fetches, timeout: float) -> None:
        self.fetches = fetches
        self._http = http
        self._timeout = timeout
        # The call of each key that runs, and the one that waits for its end.
        self._running: dict[str, Call] = {}
        self._next: dict[str, Call] = {}
        self._refreshes: set[asyncio.Task[None]] = set()
        self._refreshing: set[str] = set()
        self._closed = False

    async def missing(self, key: str) -> Known:
        """A prompt that is not held: by the fetch that runs, if one does.

        Within the pause after a failure it fails as that did, without a fetch.
        """
        failure = self.fetches.memory.paused(key)
        if failure is not None:
            raise failure.error.with_traceback(None)
        return await self._outcome(self._running.get(key) or self._begin(key))

    async def fresh(self, key: str) -> Known:
        """The prompt of a fetch that began after this was called."""
        running = self._running.get(key)
        if running is None:
            return await self._outcome(self._begin(key))
        waiting = self._next.get(key)
        if waiting is None:
            waiting = self._next[key] = asyncio.create_task(self._after(running, key))
        return await self._outcome(waiting)

    def refresh(self, key: str) -> None:
        """Ask again in the background, unless that is being done, or has just failed."""
        if self._closed or key in self._refreshing or self.fetches.memory.paused(key) is not None:
            return
        self._refreshing.add(key)
        task = asyncio.create_task(self._refresh(key))
        self._refreshes.add(task)
        task.add_done_callback(self._refreshes.discard)

    async def close(self) -> None:
        """End all calls; whoever waits for one gets ClientClosedError."""
        self._closed = True
        tasks = [*self._running.values(), *self._next.values(), *self._refreshes]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, key: str) -> Call:
        if self._closed:
            raise ClientClosedError
        call = self._running[key] = asyncio.create_task(self._fetch(key))
        return call

    async def _outcome(self, call: Call) -> Known:
        """A caller that is cancelled doesn't cancel the call of the others."""
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            if self._closed and call.cancelled():
                raise ClientClosedError from None
            raise

    async def _after(self, running: Call, key: str) -> Known:
        await asyncio.wait({running})
        self._next.pop(key, None)
        return await self._outcome(self._running.get(key) or self._begin(key))

    async def _refresh(self, key: str) -> None:
        try:
            # What is held stays, and the failure is noted.
            with contextlib.suppress(PromptOpsError):
                await self.fresh(key)
        finally:
            self._refreshing.discard(key)

    async def _fetch(self, key: str) -> Known:
        try:
            return await self._tried(key)
        finally:
            del self._running[key]

    async def _tried(self, key: str) -> Known:
        deadline, tried = time.monotonic() + self._timeout, 0
        while True:
            tried += 1
            try:
                path, etag = self.fetches.request(key)
                response = await self._http.get(path, deadline - time.monotonic(), etag)
                return self.fetches.take(key, response)
            except PromptOpsError as error:
                pause = pause_before_another(error, tried, deadline)
                if pause is None:
                    self.fetches.fail(key, error)
                    raise
            await asyncio.sleep(pause)
