"""Fetching with threads: one fetch for all that want a prompt, and refreshes in the background."""

from __future__ import annotations

import contextlib
import threading
import time

from promptops.coalescing import Coalesced
from promptops.errors import PromptOpsError
from promptops.fetching import Fetches, pause_before_another
from promptops.http import HttpClient
from promptops.memory import Known
from promptops.transport import Connector


class Fetcher:
    """Asks the server; `timeout`, in seconds, is for a fetch with all its tries."""

    def __init__(
        self, connector: Connector, http: HttpClient, fetches: Fetches, timeout: float
    ) -> None:
        self.fetches = fetches
        self._connector = connector
        self._http = http
        self._timeout = timeout
        self._calls = Coalesced(self._fetch)

    def missing(self, key: str) -> Known:
        """A prompt that is not held: by the fetch that runs, if one does.

        Within the pause after a failure it fails as that did, without a fetch.
        """
        return self._calls.join(key, lambda: self._known_by_now(key))

    def fresh(self, key: str) -> Known:
        """The prompt of a fetch that began after this was called."""
        return self._calls.fresh(key)

    def _known_by_now(self, key: str) -> Known | None:
        failure = self.fetches.memory.paused(key)
        if failure is not None:
            raise failure.error.with_traceback(None)
        return self.fetches.memory.held.get(key)

    def _fetch(self, key: str) -> Known:
        deadline, tried = time.monotonic() + self._timeout, 0
        while True:
            tried += 1
            try:
                path, etag = self.fetches.request(key)
                response = self._http.get(path, deadline - time.monotonic(), etag)
                return self.fetches.take(key, response)
            except PromptOpsError as error:
                pause = pause_before_another(error, tried, deadline)
                if pause is None:
                    self.fetches.fail(key, error)
                    raise
            self._connector.sleep(pause)


class Refresher:
    """Asks again, in a thread that lives as long as there is something to ask."""

    def __init__(self, fetcher: Fetcher, connector: Connector) -> None:
        self._fetcher = fetcher
        self._connector = connector
        self._lock = threading.Lock()
        self._wanted: dict[str, None] = {}
        self._asked: str | None = None
        self._thread: threading.Thread | None = None

    def want(self, key: str) -> None:
        """Refresh the prompt soon, unless that has just failed."""
        if self._fetcher.fetches.memory.paused(key) is not None:
            return
        with self._lock:
            if key == self._asked or self._connector.closed:
                return
            self._wanted[key] = None
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="promptops-refresh", daemon=True
                )
                self._thread.start()

    def join(self, seconds: float) -> None:
        """Until the thread has ended; does nothing within it, in a listener."""
        with self._lock:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)

    def _run(self) -> None:
        while (key := self._next()) is not None:
            # What is held stays, and the failure is noted.
            with contextlib.suppress(PromptOpsError):
                self._fetcher.fresh(key)

    def _next(self) -> str | None:
        with self._lock:
            self._asked = next(iter(self._wanted), None)
            if self._asked is None or self._connector.closed:
                self._thread = None
                return None
            del self._wanted[self._asked]
            return self._asked
