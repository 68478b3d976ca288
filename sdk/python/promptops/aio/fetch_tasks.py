"""Fetches in tasks: callers share one fetch, and refreshes run in the background."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from promptops.aio.http import AsyncHttpClient
from promptops.errors import ClientClosedError, PromptOpsError, RequestTimeoutError
from promptops.fetch_policy import FetchPolicy, pause_before_retry
from promptops.prompt_store import Failure, Outcome

logger = logging.getLogger("promptops")

T = TypeVar("T")
Call = asyncio.Task[Outcome]


class AsyncFetcher:
    """Fetches prompts; `timeout`, in seconds, limits the whole wait of a caller.

    Raises ClientClosedError; all other failures are outcomes.
    """

    def __init__(
        self, http: AsyncHttpClient, policy: FetchPolicy, timeout: float, *, closed: bool = False
    ) -> None:
        self.policy = policy
        self._http = http
        self._timeout = timeout
        # The running call of each key, and the call that waits for its end.
        self._running: dict[str, Call] = {}
        self._next: dict[str, Call] = {}
        self._refreshes: dict[str, asyncio.Task[None]] = {}
        self._snapshots: set[asyncio.Task[list[str]]] = set()
        self._closed = closed

    async def fetch_missing(self, key: str) -> Outcome:
        """Fetch a prompt that is not cached, or join the running fetch.

        During the pause after a failure it returns that failure without a fetch.
        """
        failure = self.policy.store.active_failure(key)
        if failure is not None:
            return failure
        return await self._outcome(key, self._running.get(key) or self._begin(key))

    async def fetch_fresh(self, key: str) -> Outcome:
        """Return the outcome of a fetch that begins after this call."""
        running = self._running.get(key)
        if running is None:
            return await self._outcome(key, self._begin(key))
        waiting = self._next.get(key)
        if waiting is None:
            waiting = self._next[key] = asyncio.create_task(self._after(running, key))
        return await self._outcome(key, waiting)

    async def fetch_all(self) -> list[str]:
        """Fetch all prompts; returns the keys that are cached now, raises the errors of a fetch."""
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
        """Refresh the prompt in the background, unless that is running or has just failed."""
        if (
            self._closed
            or key in self._refreshes
            or self.policy.store.active_failure(key) is not None
        ):
            return
        self._refreshes[key] = asyncio.create_task(self._refresh(key))

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Return the running tasks."""
        policy = [*self._running.values(), *self._next.values()]
        return [*policy, *self._refreshes.values(), *self._snapshots]

    async def close(self) -> None:
        """End all calls; their callers get ClientClosedError."""
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
        """A caller that is cancelled or times out does not end the call of the others."""
        ended, _ = await asyncio.wait({call}, timeout=self._timeout)
        if not ended:
            error = RequestTimeoutError("the server did not respond in time")
            return Failure(error, self.policy.find_fallback(key))
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
            # A failure is recorded, and the cached copy stays.
            await self.fetch_fresh(key)
        except ClientClosedError:
            logger.debug("no refresh of %r, the client is closed", key)
        except Exception:
            logger.exception("prompt %r was not refreshed", key)
        finally:
            self._refreshes.pop(key, None)

    async def _fetch(self, key: str) -> Outcome:
        deadline = time.monotonic() + self._timeout

        async def fetch() -> Outcome:
            path, etag = self.policy.prompt_request(key)
            response = await self._http.get(path, deadline - time.monotonic(), etag)
            return self.policy.apply_response(key, response)

        with self.policy.running_fetch(key):
            try:
                return await _fetch_with_retry(fetch, deadline)
            except ClientClosedError:
                raise
            except PromptOpsError as error:
                return self.policy.record_failure(key, error)

    async def _fetch_snapshot(self) -> list[str]:
        deadline = time.monotonic() + self._timeout

        async def fetch() -> list[str]:
            path, keys = self.policy.snapshot_request(), list[str]()
            response = await self._http.get(path, deadline - time.monotonic())
            for key in self.policy.apply_snapshot(response):
                keys.append(key)
                # Each prompt may be written to disk, so let other tasks run in between.
                await asyncio.sleep(0)
            return keys

        with self.policy.running_snapshot():
            try:
                return await _fetch_with_retry(fetch, deadline)
            except ClientClosedError:
                raise
            except PromptOpsError as error:
                self.policy.record_snapshot_failure(error)
                raise


async def _fetch_with_retry(fetch: Callable[[], Awaitable[T]], deadline: float) -> T:
    """Fetch, with a second attempt if necessary."""
    attempts = 0
    while True:
        attempts += 1
        try:
            return await fetch()
        except ClientClosedError:
            raise
        except PromptOpsError as error:
            pause = pause_before_retry(error, attempts, deadline)
            if pause is None:
                raise
        await asyncio.sleep(pause)
