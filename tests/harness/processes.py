"""Waiting for real conditions, and looking at real processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
# How long to wait for what must come, which a busy machine may delay for many seconds. No test that
# passes waits so long; less is for tests whose subject is the time.
WAIT_SECONDS = 60.0


def pauses() -> Iterator[float]:
    """Seconds between looks: short for what comes at once, longer for what takes its time, as each
    look is work for the server that the test waits for."""
    pause = 0.02
    while True:
        yield pause
        pause = min(0.25, pause * 1.25)


def eventually(look: Callable[[], T | None], *, seconds: float = WAIT_SECONDS) -> T:
    """The first true answer of `look`; a failure after `seconds`."""
    deadline, pause = time.monotonic() + seconds, pauses()
    while not (answer := look()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s, last: {answer!r}"
        time.sleep(next(pause))
    return answer


def is_alive(pid: int) -> bool:
    """False for a zombie too: an orphan's entry stays until some init process collects it."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat").read_text()
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        # Gone in between, or no Linux, where orphans are collected at once.
        return not Path("/proc/self").exists()
    # The process name before it, in parentheses, may hold anything.
    return status.rpartition(")")[2].split()[0] != "Z"
