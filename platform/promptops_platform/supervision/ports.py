"""A listening socket for a child."""

from __future__ import annotations

import socket


def reserve_port(preferred: int, host: str = "127.0.0.1") -> socket.socket:
    """Return a socket bound to `preferred` on `host` if that is free, otherwise to a free port.

    Pass it to the child that will listen, and keep it: so nobody else gets the port before the
    child listens, or while it is restarted. Raises OSError for a `host` that isn't an address of
    this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in (preferred, 0):
        reserved = socket.socket(family, socket.SOCK_STREAM)
        # Like servers do: a port whose last connections are in TIME_WAIT counts as free.
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            reserved.bind((host, port))
            # Two processes may bind one port with SO_REUSEADDR as long as neither listens.
            reserved.listen()
        except OSError:
            reserved.close()
            if port == 0:
                raise
        else:
            return reserved
    raise AssertionError("unreachable: port 0 is bound or raises")
