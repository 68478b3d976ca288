"""What the kernel knows about a connection's socket, and does with it."""

import asyncio
import fcntl
import socket
import termios

# Who has acknowledged nothing for so long is gone.
GONE_SECONDS = 30.0


def has_unread(transport: asyncio.BaseTransport) -> bool:
    """Whether bytes wait in the socket."""
    connection = transport.get_extra_info("socket")
    if connection is None or connection.fileno() < 0:
        return False
    answer = fcntl.ioctl(connection.fileno(), termios.FIONREAD, b"\0" * 4)
    return answer != b"\0" * 4


def give_up_when_gone(transport: asyncio.BaseTransport) -> None:
    """Let the kernel end a connection whose client acknowledges nothing any more."""
    connection = transport.get_extra_info("socket")
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        milliseconds = int(GONE_SECONDS * 1000)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
