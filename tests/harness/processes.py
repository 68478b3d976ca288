"""Waits for real conditions, and inspects real processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
# The limit for waiting, since a busy machine may delay things for many seconds. No passing test
# waits that long; shorter limits are for tests about time.
WAIT_SECONDS = 60.0


def pauses() -> Iterator[float]:
    """Seconds between checks: short at first, longer for slow conditions, since each check is work
    for the server."""
    pause = 0.02
    while True:
        yield pause
        pause = min(0.25, pause * 1.25)


def eventually(look: Callable[[], T | None], *, seconds: float = WAIT_SECONDS) -> T:
    """The first true result of `look`; fails after `seconds`."""
    deadline, pause = time.monotonic() + seconds, pauses()
    while not (answer := look()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s, last: {answer!r}"
        time.sleep(next(pause))
    return answer


def is_alive(pid: int) -> bool:
    """False also for a zombie: an orphan's entry stays until an init process reaps it."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat").read_text()
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        # Gone in the meantime, or not Linux, where orphans are reaped at once.
        return not Path("/proc/self").exists()
    # The process name before it, in parentheses, may contain anything.
    return status.rpartition(")")[2].split()[0] != "Z"
