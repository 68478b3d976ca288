"""Shares one call between concurrent callers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class _Call(Generic[T]):
    """One call, the `number`-th of all; it has no outcome if it was interrupted."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.ended = threading.Event()
        self.outcome: T | None = None
        self.error: Exception | None = None

    def result(self) -> T | None:
        """Return the outcome, or None if there is none."""
        if self.error is not None:
            raise self.error
        return self.outcome


class Coalesced(Generic[T]):
    """Runs ``call(key, deadline)`` at most once at a time for each key, and shares its outcome.

     Calls for one key never overlap, so a slow response can't overwrite a newer one. An outcome is
    a value or an error. Callers wait at most until their deadline (in seconds of
    ``time.monotonic``) for another caller's call, then TimeoutError is raised. Safe between
    threads.
    """

    def __init__(self, call: Callable[[str, float], T]) -> None:
        self._call = call
        self._lock = threading.Lock()
        self._running: dict[str, _Call[T]] = {}
        self._started = 0

    def join(self, key: str, deadline: float, unless: Callable[[], T | None] = lambda: None) -> T:
        """Return the outcome of the running call, or of a new one.

        Before a new call it asks `unless`, and returns its value instead if there is one.
        """
        with self._lock:
            running = self._running.get(key)
            newest_started = self._started if running is None else running.number - 1
        return self._outcome_after(newest_started, key, deadline, unless)

    def call_anew(self, key: str, deadline: float) -> T:
        """Return the outcome of a call that begins after this request.

        A call that already runs may return an older state.
        """
        with self._lock:
            newest_started = self._started
        return self._outcome_after(newest_started, key, deadline, lambda: None)

    def _outcome_after(
        self, newest_started: int, key: str, deadline: float, unless: Callable[[], T | None]
    ) -> T:
        while True:
            with self._lock:
                call = self._running.get(key)
                if call is None:
                    ready = unless()
                    if ready is not None:
                        return ready
                    self._started += 1
                    new_call = self._running[key] = _Call(self._started)
            if call is None:
                return self._run(new_call, key, deadline)
            if not call.ended.wait(max(deadline - time.monotonic(), 0)):
                raise TimeoutError
            if call.number > newest_started and (outcome := call.result()) is not None:
                return outcome

    def _run(self, call: _Call[T], key: str, deadline: float) -> T:
        try:
            outcome = call.outcome = self._call(key, deadline)
        except Exception as error:
            # Raised in every waiting thread. A KeyboardInterrupt concerns only this thread: the
            # next waiting one calls again.
            call.error = error
            raise
        else:
            return outcome
        finally:
            with self._lock:
                del self._running[key]
            call.ended.set()
