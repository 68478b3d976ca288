"""The progress of the children's start, measured by the CPU time that they have used for it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Protocol

from promptops_platform.supervision.child import ChildState
from promptops_platform.supervision.supervisor import Supervisor


class StartWork(Protocol):
    """A start that others wait for."""

    def seconds(self) -> float:
        """Return a number that grows while the start makes progress."""

    def finished(self) -> None:
        """Whether everything that was started is serving now."""


class NoStartWork:
    """Used if this process starts nothing."""

    def seconds(self) -> float:
        return 0.0

    def finished(self) -> None:
        return


NO_START_WORK = NoStartWork()


class ChildrenStartWork:
    """The work of a supervisor's children that have not served yet. A child that dies repeatedly
    makes no progress."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._used: dict[int, float] = {}
        # Processes that are serving, or have served.
        self._served: set[int] = set()

    def seconds(self) -> float:
        for child in self._supervisor.states():
            if child.pid is not None and child.failures < 2 and child.pid not in self._served:
                self._used[child.pid] = max(self._used.get(child.pid, 0.0), _used_by(child))
        return sum(self._used.values())

    def finished(self) -> None:
        self._served |= {child.pid for child in self._supervisor.states() if child.pid is not None}


def _used_by(child: ChildState) -> float:
    """Return the CPU seconds of the process; if the system doesn't report them, the seconds since
    its start."""
    try:
        status = Path(f"/proc/{child.pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return time.monotonic() - child.started_at
    # The preceding name, in parentheses, may contain anything.
    fields = status.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
