"""Fetches in threads: callers share one fetch, and refreshes run in the background."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from promptops.coalescing import Coalesced
from promptops.errors import ClientClosedError, PromptOpsError, RequestTimeoutError
from promptops.fetch_policy import FetchPolicy, pause_before_retry
from promptops.http import HttpClient
from promptops.listeners import PendingNotifications
from promptops.prompt_store import Failure, Outcome
from promptops.transport import Connector

logger = logging.getLogger("promptops")

T = TypeVar("T")

# If no thread can be started: the time until the next attempt to start one, and the time until a
# caller's thread fetches again after a failure.
SECONDS_WITHOUT_THREAD = 1.0
SECONDS_AFTER_FAILURE = 30.0


class Fetcher:
    """Fetches prompts; `timeout`, in seconds, limits the whole wait of a caller.

     Raises ClientClosedError; all other failures are outcomes. It delivers `pending` notifications
    after a fetch, when no other caller waits for it.
    """

    def __init__(
        self,
        connector: Connector,
        http: HttpClient,
        policy: FetchPolicy,
        timeout: float,
        pending: PendingNotifications,
    ) -> None:
        self.policy = policy
        self._connector = connector
        self._http = http
        self._timeout = timeout
        self._pending = pending
        self._calls: Coalesced[Outcome] = Coalesced(self._fetch)
        self._snapshots: Coalesced[list[str]] = Coalesced(self._fetch_snapshot)

    def fetch_missing(self, key: str) -> Outcome:
        """Fetch a prompt that is not cached, or join the running fetch.

        During the pause after a failure it returns that failure without a fetch.
        """
        return self._within_timeout(
            key, lambda until: self._calls.join(key, until, lambda: self._current_outcome(key))
        )

    def fetch_fresh(self, key: str) -> Outcome:
        """Return the outcome of a fetch that begins after this call."""
        return self._within_timeout(key, lambda until: self._calls.call_anew(key, until))

    def fetch_all(self) -> list[str]:
        """Fetch all prompts; returns the keys that are cached now, raises the errors of a fetch."""
        try:
            return self._snapshots.call_anew("", time.monotonic() + self._timeout)
        except TimeoutError as error:
            raise RequestTimeoutError("the server did not respond in time") from error
        finally:
            self._pending.deliver()

    def _within_timeout(self, key: str, fetch: Callable[[float], Outcome]) -> Outcome:
        try:
            return fetch(time.monotonic() + self._timeout)
        except TimeoutError:
            # The fetch belongs to another caller and continues; its outcome is recorded.
            error = RequestTimeoutError("the server did not respond in time")
            return Failure(error, self.policy.find_fallback(key))
        finally:
            self._pending.deliver()

    def _current_outcome(self, key: str) -> Outcome | None:
        store = self.policy.store
        return store.active_failure(key) or store.cached.get(key)

    def _fetch(self, key: str, deadline: float) -> Outcome:
        def fetch() -> Outcome:
            path, etag = self.policy.prompt_request(key)
            response = self._http.get(path, deadline - time.monotonic(), etag)
            return self.policy.apply_response(key, response)

        with self.policy.running_fetch(key):
            try:
                return self._fetch_with_retry(fetch, deadline)
            except ClientClosedError:
                raise
            except PromptOpsError as error:
                return self.policy.record_failure(key, error)

    def _fetch_snapshot(self, _: str, deadline: float) -> list[str]:
        def fetch() -> list[str]:
            path = self.policy.snapshot_request()
            response = self._http.get(path, deadline - time.monotonic())
            return list(self.policy.apply_snapshot(response))

        with self.policy.running_snapshot():
            try:
                return self._fetch_with_retry(fetch, deadline)
            except ClientClosedError:
                raise
            except PromptOpsError as error:
                self.policy.record_snapshot_failure(error)
                raise

    def _fetch_with_retry(self, fetch: Callable[[], T], deadline: float) -> T:
        """Fetch, with a second attempt if necessary."""
        attempts = 0
        while True:
            attempts += 1
            try:
                return fetch()
            except ClientClosedError:
                raise
            except PromptOpsError as error:
                pause = pause_before_retry(error, attempts, deadline)
                if pause is None:
                    raise
            self._connector.sleep(pause)


class Refresher:
    """Refreshes prompts in a thread that runs while keys are queued.

    If no thread can be started, the caller's thread refreshes.
    """

    def __init__(self, fetcher: Fetcher, connector: Connector) -> None:
        self._fetcher = fetcher
        self._connector = connector
        self._lock = threading.Lock()
        self._queued: dict[str, None] = {}
        self._refreshing: str | None = None
        self._thread: threading.Thread | None = None
        self._no_thread_until = self._no_inline_until = 0.0
        # Keys that callers' threads refresh.
        self._refreshing_inline: set[str] = set()

    def request_refresh(self, key: str) -> None:
        """Refresh the prompt soon, unless its fetch has just failed."""
        if self._fetcher.policy.store.active_failure(key) is not None:
            return
        with self._lock:
            if key == self._refreshing or key in self._refreshing_inline or self._connector.closed:
                return
            if self._thread is not None:
                self._queued[key] = None
                return
            if self._start_thread(key) or time.monotonic() < self._no_inline_until:
                return
            self._refreshing_inline.add(key)
        try:
            self._refresh(key)
        finally:
            with self._lock:
                self._refreshing_inline.discard(key)
        if self._fetcher.policy.store.active_failure(key) is not None:
            self._no_inline_until = time.monotonic() + SECONDS_AFTER_FAILURE

    def join(self, seconds: float) -> None:
        """Wait until the thread has ended; does nothing in that thread, in a listener."""
        with self._lock:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)

    def _run(self) -> None:
        while (key := self._next()) is not None:
            self._refresh(key)

    def _refresh(self, key: str) -> None:
        try:
            # A failure is recorded, and the cached copy stays.
            self._fetcher.fetch_fresh(key)
        except ClientClosedError:
            logger.debug("no refresh of %r, the client is closed", key)
        # A bug of this SDK must not stop the thread.
        except Exception:
            logger.exception("prompt %r was not refreshed", key)

    def _start_thread(self, key: str) -> bool:
        """Start the thread; returns whether it runs."""
        if time.monotonic() < self._no_thread_until:
            return False
        thread = threading.Thread(target=self._run, name="promptops-refresh", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            if not self._no_thread_until:
                logger.warning("prompts are refreshed in the calling threads: %s", error)
            self._no_thread_until = time.monotonic() + SECONDS_WITHOUT_THREAD
            return False
        self._queued[key] = None
        self._thread = thread
        return True

    def _next(self) -> str | None:
        with self._lock:
            self._refreshing = next(iter(self._queued), None)
            if self._refreshing is None or self._connector.closed:
                self._thread = None
                return None
            del self._queued[self._refreshing]
            return self._refreshing
