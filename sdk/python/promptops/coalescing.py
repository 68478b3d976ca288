"""One call for many callers that want the same thing at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class _Calls(Generic[T]):
    """The calls for one key, numbered from 1: at most one runs, the last outcome is kept."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.begun = 0
        self.in_flight = False
        self.outcome_of = 0
        self.value: T | None = None
        self.error: Exception | None = None


class Coalesced(Generic[T]):
    """Runs ``call(key)`` at most once at a time for each key, and shares its outcome.

    Because calls for one key never overlap, a slow answer can't overwrite a newer one.
    An outcome is a value or an error; both are shared. Safe between threads.
    """

    def __init__(self, call: Callable[[str], T]) -> None:
        self._call = call
        self._lock = threading.Lock()
        self._calls: dict[str, _Calls[T]] = {}

    def join(self, key: str, unless: Callable[[], T | None] = lambda: None) -> T:
        """The outcome of the call that is running, else of a new one.

        Nothing is called if `unless` answers something, which is asked when it would be.
        """
        with self._lock:
            calls = self._calls.setdefault(key, _Calls())
            seen = calls.begun - calls.in_flight
        return self._outcome_after(seen, calls, key, unless)

    def fresh(self, key: str) -> T:
        """The outcome of a call that began after this one was asked for.

        A call that already runs may have been answered from what was true before.
        """
        with self._lock:
            calls = self._calls.setdefault(key, _Calls())
            seen = calls.begun
        return self._outcome_after(seen, calls, key, lambda: None)

    def _outcome_after(
        self, seen: int, calls: _Calls[T], key: str, unless: Callable[[], T | None]
    ) -> T:
        with calls.turn:
            if calls.outcome_of <= seen:
                found = unless()
                if found is not None:
                    return found
                self._run(calls, key)
            if calls.error is not None:
                raise calls.error
            return calls.value  # type: ignore[return-value]  # set where error is not

    def _run(self, calls: _Calls[T], key: str) -> None:
        with self._lock:
            calls.begun += 1
            calls.in_flight = True
        try:
            calls.value, calls.error = self._call(key), None
            calls.outcome_of = calls.begun
        except Exception as error:  # noqa: BLE001 (raised in every thread that waits for it)
            calls.value, calls.error = None, error
            calls.outcome_of = calls.begun
        finally:
            # After a KeyboardInterrupt, which is this thread's own, there is no outcome to share:
            # the next in turn calls again.
            with self._lock:
                calls.in_flight = False
