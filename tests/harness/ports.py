"""Ports for servers of tests."""

from promptops_platform.supervision.ports import reserve_port


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with reserve_port(0) as reserved:
        return int(reserved.getsockname()[1])
