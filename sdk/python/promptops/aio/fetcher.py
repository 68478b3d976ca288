"""Fetching with tasks: one fetch for all that want a prompt, and refreshes in the background."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from promptops.aio.http import AsyncHttpClient
from promptops.errors import ClientClosedError, PromptOpsError, RequestTimeoutError
from promptops.fetching import Fetches, pause_before_another
from promptops.memory import Failure, Outcome

logger = logging.getLogger("promptops")

T = TypeVar("T")
Call = asyncio.Task[Outcome]


class AsyncFetcher:
    """Asks the server; `timeout`, in seconds, is for all that a caller waits for.

    Raises ClientClosedError; all other failures are outcomes.
    """

    def __init__(
        self, http: AsyncHttpClient, fetches: Fetches, timeout: float, *, closed: bool = False
    ) -> None:
        self.fetches = fetches
        self._http = http
        self._timeout = timeout
        # The call of each key that runs, and the one that waits for its end.
        self._running: dict[str, Call] = {}
        self._next: dict[str, Call] = {}
        self._refreshes: dict[str, asyncio.Task[None]] = {}
        self._snapshots: set[asyncio.Task[list[str]]] = set()
        self._closed = closed

    async def missing(self, key: str) -> Outcome:
        """A prompt that is not held: by the fetch that runs, if one does.

        Within the pause after a failure it fails as that did, without a fetch.
        """
        failure = self.fetches.memory.paused(key)
        if failure is not None:
            return failure
        return await self._outcome(key, self._running.get(key) or self._begin(key))

    async def fresh(self, key: str) -> Outcome:
        """The prompt of a fetch that began after this was called."""
        running = self._running.get(key)
        if running is None:
            return await self._outcome(key, self._begin(key))
        waiting = self._next.get(key)
        if waiting is None:
            waiting = self._next[key] = asyncio.create_task(self._after(running, key))
        return await self._outcome(key, waiting)

    async def snapshot(self) -> list[str]:
        """All prompts in one fetch; the keys that are held now. Raises what a fetch fails with."""
        if self._closed:
            raise ClientClosedError
        # A task, so that `close` can end it.
        call = asyncio.create_task(self._fetch_snapshot())
        self._snapshots.add(call)
        call.add_done_callback(self._snapshots.discard)
        try:
            await asyncio.wait({call})
        except asyncio.CancelledError:
            call.cancel()
            raise
        if call.cancelled():
            raise ClientClosedError
        return call.result()

    def refresh(self, key: str) -> None:
        """Ask again in the background, unless that is being done, or has just failed."""
        if self._closed or key in self._refreshes or self.fetches.memory.paused(key) is not None:
            return
        self._refreshes[key] = asyncio.create_task(self._refresh(key))

    def tasks(self) -> list[asyncio.Task[Any]]:
        """What runs."""
        fetches = [*self._running.values(), *self._next.values()]
        return [*fetches, *self._refreshes.values(), *self._snapshots]

    async def close(self) -> None:
        """End all calls; whoever waits for one gets ClientClosedError."""
        self._closed = True
        tasks = self.tasks()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, key: str) -> Call:
        if self._closed:
            raise ClientClosedError
        call = self._running[key] = asyncio.create_task(self._fetch(key))
        call.add_done_callback(lambda _: self._running.pop(key, None))
        return call

    async def _outcome(self, key: str, call: Call) -> Outcome:
        """A caller that is cancelled, or waits no longer, doesn't end the call of the others."""
        ended, _ = await asyncio.wait({call}, timeout=self._timeout)
        if not ended:
            error = RequestTimeoutError("the server did not answer in time")
            return Failure(error, self.fetches.fallback(key))
        if self._closed and call.cancelled():
            raise ClientClosedError
        return call.result()

    async def _after(self, running: Call, key: str) -> Outcome:
        try:
            await asyncio.wait({running})
        finally:
            self._next.pop(key, None)
        return await self._outcome(key, self._running.get(key) or self._begin(key))

    async def _refresh(self, key: str) -> None:
        try:
            # What is held stays, and a failure is noted.
            await self.fresh(key)
        except ClientClosedError:
            logger.debug("no refresh of %r, the client is closed", key)
        except Exception:
            logger.exception("prompt %r was not refreshed", key)
        finally:
            self._refreshes.pop(key, None)

    async def _fetch(self, key: str) -> Outcome:
        deadline = time.monotonic() + self._timeout

        async def fetch() -> Outcome:
            path, etag = self.fetches.request(key)
            response = await self._http.get(path, deadline - time.monotonic(), etag)
            return self.fetches.take(key, response)

        with self.fetches.under_way(key):
            try:
                return await _try(fetch, deadline)
            except ClientClosedError:
                raise
            except PromptOpsError as error:
                return self.fetches.fail(key, error)

    async def _fetch_snapshot(self) -> list[str]:
        deadline = time.monotonic() + self._timeout

        async def fetch() -> list[str]:
            path, keys = self.fetches.snapshot_request(), list[str]()
            response = await self._http.get(path, deadline - time.monotonic())
            for key in self.fetches.take_snapshot(response):
                keys.append(key)
                # Each may be written to disk: other tasks have their turn in between.
                await asyncio.sleep(0)
            return keys

        with self.fetches.snapshot_under_way():
            try:
                return await _try(fetch, deadline)
            except ClientClosedError:
                raise
            except PromptOpsError as error:
                self.fetches.fail_snapshot(error)
                raise


async def _try(fetch: Callable[[], Awaitable[T]], deadline: float) -> T:
    """What it fetches, at the second try if need be."""
    tried = 0
    while True:
        tried += 1
        try:
            return await fetch()
        except ClientClosedError:
            raise
        except PromptOpsError as error:
            pause = pause_before_another(error, tried, deadline)
            if pause is None:
                raise
        await asyncio.sleep(pause)
