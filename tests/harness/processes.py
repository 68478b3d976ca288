"""Waiting for real conditions, and looking at real processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], *, seconds: float = 20.0) -> T:
    """The first true answer of `found`; a failure after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := look()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s, last: {answer!r}"
        time.sleep(0.02)
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
