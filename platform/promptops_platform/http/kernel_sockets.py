"""Queries and sets options of a connection's socket in the kernel."""

import asyncio
import fcntl
import socket
import termios

# A client that has acknowledged nothing for this long is gone.
GONE_SECONDS = 30.0


def has_unread(transport: asyncio.BaseTransport) -> bool:
    """Whether unread bytes are in the socket's buffer."""
    connection = transport.get_extra_info("socket")
    if connection is None or connection.fileno() < 0:
        return False
    answer = fcntl.ioctl(connection.fileno(), termios.FIONREAD, b"\0" * 4)
    return answer != b"\0" * 4


def give_up_when_gone(transport: asyncio.BaseTransport) -> None:
    """Let the kernel close a connection whose client no longer acknowledges anything."""
    connection = transport.get_extra_info("socket")
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        milliseconds = int(GONE_SECONDS * 1000)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
