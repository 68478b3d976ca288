"""A TCP port for a child to listen on."""

from __future__ import annotations

import socket


def free_port(preferred: int, host: str = "127.0.0.1") -> int:
    """`preferred` when nothing listens there on `host`, else a port the system calls free.

    Another process may still take it before the caller does. Raises OSError for a `host` that
    isn't an address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in (preferred, 0):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As servers do: a port whose last connections linger in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                if port == 0:
                    raise
            else:
                return int(probe.getsockname()[1])
    raise AssertionError("unreachable: port 0 is bound or raises")
