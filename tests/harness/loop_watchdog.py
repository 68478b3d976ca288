"""Detects callbacks that block the event loop for too long, which delays all other requests.

It measures the processor time of the loop's own thread, without the garbage collector: on a busy
machine a callback is late without being at fault.
"""

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest_asyncio

LIMIT_SECONDS = 0.25
# To ask for a thread's time is a system call, which would double the cost of small callbacks: it is
# asked this often, and when a callback took longer than the limit by the clock on the wall.
CHECK_SECONDS = 0.005
# The plugin runs fixtures, and these start whole platforms.
TEST_FILES = (str(Path(__file__).parent.parent), str(Path(pytest_asyncio.__file__).parent))


class LoopWatchdog:
    """Collects the callbacks of asyncio loops that take longer than the limit."""

    def __init__(self) -> None:
        self.stalls: list[str] = []
        self._collecting_since = 0.0
        self._collected_seconds = 0.0

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Watch all loops of the process while the block runs."""
        run = asyncio.Handle._run

        clock = time.perf_counter
        looked_at = threads_time = collected = 0.0

        def timed_run(handle: asyncio.Handle) -> None:
            nonlocal looked_at, threads_time, collected
            start = clock()
            if start - looked_at > CHECK_SECONDS:
                looked_at, threads_time = start, time.thread_time()
                collected = self._collected_seconds
            run(handle)
            if clock() - start <= LIMIT_SECONDS:
                return
            # Includes what ran since the last look, which took CHECK_SECONDS at most.
            seconds = time.thread_time() - threads_time - (self._collected_seconds - collected)
            if seconds > LIMIT_SECONDS and not _is_of_a_test(handle):
                self.stalls.append(f"{seconds:.2f} s in {_owner(handle)!r}")

        gc.callbacks.append(self._time_collection)
        asyncio.Handle._run = timed_run  # type: ignore[method-assign]
        try:
            yield
        finally:
            asyncio.Handle._run = run  # type: ignore[method-assign]
            gc.callbacks.remove(self._time_collection)

    def _time_collection(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting_since = time.thread_time()
        else:
            self._collected_seconds += time.thread_time() - self._collecting_since


def _owner(handle: asyncio.Handle) -> object:
    """The task that the callback is a step of, or else the callback itself."""
    callback: Any = handle._callback  # type: ignore[attr-defined]
    owner = getattr(callback, "__self__", None)
    return owner if isinstance(owner, asyncio.Task) else callback


def _is_of_a_test(handle: asyncio.Handle) -> bool:
    """Whether the callback is a step of one of the tests' own coroutines, which share the loop."""
    owner = _owner(handle)
    code = getattr(owner.get_coro(), "cr_code", None) if isinstance(owner, asyncio.Task) else None
    return code is not None and code.co_filename.startswith(TEST_FILES)
