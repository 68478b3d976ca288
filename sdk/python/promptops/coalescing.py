"""One call for many callers that want the same thing at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class _Call(Generic[T]):
    """One call, the `number`-th of all; after an interruption it ends without an outcome."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.ended = threading.Event()
        self.outcome: T | None = None
        self.error: Exception | None = None

    def result(self) -> T | None:
        """The outcome, or None without one."""
        if self.error is not None:
            raise self.error
        return self.outcome


class Coalesced(Generic[T]):
    """Runs ``call(key, deadline)`` at most once at a time for each key, and shares its outcome.

    Because calls for one key never overlap, a slow answer can't overwrite a newer one. An outcome
    is a value or an error; both are shared. Nobody waits for another's call beyond the deadline
    (in seconds of ``time.monotonic``): then TimeoutError is raised. Safe between threads.
    """

    def __init__(self, call: Callable[[str, float], T]) -> None:
        self._call = call
        self._lock = threading.Lock()
        self._running: dict[str, _Call[T]] = {}
        self._begun = 0

    def join(self, key: str, deadline: float, unless: Callable[[], T | None] = lambda: None) -> T:
        """The outcome of the call that is running, else of a new one.

        Nothing is called if `unless` answers something, which is asked when it would be.
        """
        with self._lock:
            running = self._running.get(key)
            seen = self._begun if running is None else running.number - 1
        return self._outcome_after(seen, key, deadline, unless)

    def fresh(self, key: str, deadline: float) -> T:
        """The outcome of a call that began after this one was asked for.

        A call that already runs may have been answered from what was true before.
        """
        with self._lock:
            seen = self._begun
        return self._outcome_after(seen, key, deadline, lambda: None)

    def _outcome_after(
        self, seen: int, key: str, deadline: float, unless: Callable[[], T | None]
    ) -> T:
        while True:
            with self._lock:
                call = self._running.get(key)
                if call is None:
                    found = unless()
                    if found is not None:
                        return found
                    self._begun += 1
                    mine = self._running[key] = _Call(self._begun)
            if call is None:
                return self._run(mine, key, deadline)
            if not call.ended.wait(max(deadline - time.monotonic(), 0)):
                raise TimeoutError
            if call.number > seen and (outcome := call.result()) is not None:
                return outcome

    def _run(self, call: _Call[T], key: str, deadline: float) -> T:
        try:
            outcome = call.outcome = self._call(key, deadline)
        except Exception as error:
            # Raised in every thread that waits for it. A KeyboardInterrupt is this thread's own:
            # the next in turn calls again.
            call.error = error
            raise
        else:
            return outcome
        finally:
            with self._lock:
                del self._running[key]
            call.ended.set()
