"""Fetching with threads: one fetch for all that want a prompt, and refreshes in the background."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from promptops.coalescing import Coalesced
from promptops.errors import ClientClosedError, PromptOpsError, RequestTimeoutError
from promptops.fetching import Fetches, pause_before_another
from promptops.http import HttpClient
from promptops.listeners import Untold
from promptops.memory import Failure, Outcome
from promptops.transport import Connector

logger = logging.getLogger("promptops")

T = TypeVar("T")

# Where the system has no thread to give: until one is asked for again, and until a caller's own
# thread fetches again after it has failed.
SECONDS_WITHOUT_THREAD = 1.0
SECONDS_AFTER_FAILURE = 30.0


class Fetcher:
    """Asks the server; `timeout`, in seconds, is for all that a caller waits for.

    Raises ClientClosedError; all other failures are outcomes. What there is `untold` after a
    fetch is told then, when no other caller waits for this one any more.
    """

    def __init__(
        self,
        connector: Connector,
        http: HttpClient,
        fetches: Fetches,
        timeout: float,
        untold: Untold,
    ) -> None:
        self.fetches = fetches
        self._connector = connector
        self._http = http
        self._timeout = timeout
        self._untold = untold
        self._calls: Coalesced[Outcome] = Coalesced(self._fetch)
        self._snapshots: Coalesced[list[str]] = Coalesced(self._fetch_snapshot)

    def missing(self, key: str) -> Outcome:
        """A prompt that is not held: by the fetch that runs, if one does.

        Within the pause after a failure it fails as that did, without a fetch.
        """
        return self._ask(key, lambda until: self._calls.join(key, until, lambda: self._now(key)))

    def fresh(self, key: str) -> Outcome:
        """The prompt of a fetch that began after this was called."""
        return self._ask(key, lambda until: self._calls.fresh(key, until))

    def snapshot(self) -> list[str]:
        """All prompts in one fetch; the keys that are held now. Raises what a fetch fails with."""
        try:
            return self._snapshots.fresh("", time.monotonic() + self._timeout)
        except TimeoutError as error:
            raise RequestTimeoutError("the server did not answer in time") from error
        finally:
            self._untold.tell()

    def _ask(self, key: str, ask: Callable[[float], Outcome]) -> Outcome:
        try:
            return ask(time.monotonic() + self._timeout)
        except TimeoutError:
            # It is another caller's fetch that goes on, and whose outcome is noted.
            error = RequestTimeoutError("the server did not answer in time")
            return Failure(error, self.fetches.fallback(key))
        finally:
            self._untold.tell()

    def _now(self, key: str) -> Outcome | None:
        memory = self.fetches.memory
        return memory.paused(key) or memory.held.get(key)

    def _fetch(self, key: str, deadline: float) -> Outcome:
        def fetch() -> Outcome:
            path, etag = self.fetches.request(key)
            response = self._http.get(path, deadline - time.monotonic(), etag)
            return self.fetches.take(key, response)

        with self.fetches.under_way(key):
            try:
                return self._try(fetch, deadline)
            except ClientClosedError:
                raise
            except PromptOpsError as error:
                return self.fetches.fail(key, error)

    def _fetch_snapshot(self, _: str, deadline: float) -> list[str]:
        def fetch() -> list[str]:
            path = self.fetches.snapshot_request()
            response = self._http.get(path, deadline - time.monotonic())
            return list(self.fetches.take_snapshot(response))

        with self.fetches.snapshot_under_way():
            try:
                return self._try(fetch, deadline)
            except ClientClosedError:
                raise
            except PromptOpsError as error:
                self.fetches.fail_snapshot(error)
                raise

    def _try(self, fetch: Callable[[], T], deadline: float) -> T:
        """What it fetches, at the second try if need be."""
        tried = 0
        while True:
            tried += 1
            try:
                return fetch()
            except ClientClosedError:
                raise
            except PromptOpsError as error:
                pause = pause_before_another(error, tried, deadline)
                if pause is None:
                    raise
            self._connector.sleep(pause)


class Refresher:
    """Asks again, in a thread that lives as long as there is something to ask.

    Where the system has no thread to give, the caller's own asks.
    """

    def __init__(self, fetcher: Fetcher, connector: Connector) -> None:
        self._fetcher = fetcher
        self._connector = connector
        self._lock = threading.Lock()
        self._wanted: dict[str, None] = {}
        self._asked: str | None = None
        self._thread: threading.Thread | None = None
        self._no_thread_until = self._not_here_until = 0.0
        # What callers' own threads ask for.
        self._asked_here: set[str] = set()

    def want(self, key: str) -> None:
        """Refresh the prompt soon, unless that has just failed."""
        if self._fetcher.fetches.memory.paused(key) is not None:
            return
        with self._lock:
            if key == self._asked or key in self._asked_here or self._connector.closed:
                return
            if self._thread is not None:
                self._wanted[key] = None
                return
            if self._start_with(key) or time.monotonic() < self._not_here_until:
                return
            self._asked_here.add(key)
        try:
            self._refresh(key)
        finally:
            with self._lock:
                self._asked_here.discard(key)
        if self._fetcher.fetches.memory.paused(key) is not None:
            self._not_here_until = time.monotonic() + SECONDS_AFTER_FAILURE

    def join(self, seconds: float) -> None:
        """Until the thread has ended; does nothing within it, in a listener."""
        with self._lock:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)

    def _run(self) -> None:
        while (key := self._next()) is not None:
            self._refresh(key)

    def _refresh(self, key: str) -> None:
        try:
            # What is held stays, and a failure is noted.
            self._fetcher.fresh(key)
        except ClientClosedError:
            logger.debug("no refresh of %r, the client is closed", key)
        # A fault of this SDK; the thread is needed for the next prompt.
        except Exception:
            logger.exception("prompt %r was not refreshed", key)

    def _start_with(self, key: str) -> bool:
        """Whether there is a thread now."""
        if time.monotonic() < self._no_thread_until:
            return False
        thread = threading.Thread(target=self._run, name="promptops-refresh", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            if not self._no_thread_until:
                logger.warning("prompts are refreshed in the threads that ask for them: %s", error)
            self._no_thread_until = time.monotonic() + SECONDS_WITHOUT_THREAD
            return False
        self._wanted[key] = None
        self._thread = thread
        return True

    def _next(self) -> str | None:
        with self._lock:
            self._asked = next(iter(self._wanted), None)
            if self._asked is None or self._connector.closed:
                self._thread = None
                return None
            del self._wanted[self._asked]
            return self._asked
