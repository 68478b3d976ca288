"""Ports for test servers that listen later, or stop and listen again.

They are below the range that the system uses for outgoing connections, so that no program's
connection takes one in between, and no client that retries a closed port gets it as its own port
and connects to itself.
"""

import os
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from promptops_platform.supervision.ports import reserve_port

_FIRST = 10_000
# Linux's default.
_OUTGOING_FIRST = 32_768
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A port that is free now and wasn't returned before."""
    for port in _candidates():
        with reserve_port(port) as reserved:
            if reserved.getsockname()[1] == port:
                return port
    with reserve_port(0) as reserved:
        return int(reserved.getsockname()[1])


@cache
def _candidates() -> Iterator[int]:
    """The ports of this pytest process, in its own order: a port that another process has returned,
    and that isn't used yet, would look free."""
    end = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else _OUTGOING_FIRST
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = range(_FIRST + process, end, processes)
    return iter(random.SystemRandom().sample(share, len(share)))
