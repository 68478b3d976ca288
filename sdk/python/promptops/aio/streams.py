"""Connections for asyncio, with errors of this SDK."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from promptops.aio.cancellation import within
from promptops.aio.tunnels import open_tunnel
from promptops.errors import ProtocolError, RequestTimeoutError, ServerUnreachableError
from promptops.handshake import LARGEST_HEAD
from promptops.proxies import Proxy
from promptops.transport import SHORTEST_CONNECT_SECONDS, ServerAddress

CLOSE_SECONDS = 1.0


@dataclass(frozen=True)
class Route:
    """The route to the server."""

    address: ServerAddress
    proxy: Proxy | None
    tls: ssl.SSLContext | None


def _patience() -> dict[str, float]:
    """When the next address of a host is tried as well. Loops of others, such as uvloop's, can't:
    they go to the next one when one has failed."""
    if isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop):
        return {"happy_eyeballs_delay": SHORTEST_CONNECT_SECONDS}
    return {}


class Connection:
    """One connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, route: Route, *, tunnel: bool = False) -> Connection:
        """Connect, and encrypt the connection to an https server.

         It connects to the proxy of an http server if there is one, or with `tunnel` through it to
        the server.
        """
        address, proxy, tls = route.address, route.proxy, route.tls
        if proxy is not None and (tunnel or tls is not None):
            tunneled = await open_tunnel(proxy, address.host_header)
            return await cls._of_socket(tunneled, route)
        target = proxy or address
        reader, writer = await asyncio.open_connection(
            target.host, target.port, ssl=tls, limit=LARGEST_HEAD, **_patience()
        )
        return cls(reader, writer)

    @classmethod
    async def _of_socket(cls, connected: socket.socket, route: Route) -> Connection:
        host = None if route.tls is None else route.address.host
        try:
            reader, writer = await asyncio.open_connection(
                sock=connected, ssl=route.tls, server_hostname=host, limit=LARGEST_HEAD
            )
        except BaseException:
            connected.close()
            raise
        return cls(reader, writer)

    async def send(self, data: bytes) -> None:
        """Pass the bytes to the kernel, or to the buffer before it."""
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> bytes:
        """Return an HTTP head, including the empty line at its end."""
        try:
            return await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError as error:
            raise ProtocolError(f"the response's head is over {LARGEST_HEAD} bytes") from error

    def is_quiet(self) -> bool:
        """Whether there is nothing to read, not even the server's close."""
        reading = self.reader.read(1)
        try:
            # One step of the coroutine reads only available data, without a task or a turn of the
            # loop.
            reading.send(None)
        except (StopIteration, OSError):
            return False
        reading.close()
        return not self.writer.transport.is_closing()

    def drop(self) -> None:
        """Free the socket soon, without waiting for the server."""
        self.writer.close()

    async def close(self) -> None:
        """Free the socket."""
        self.writer.close()
        # TLS sends a close message, to which a dead server does not respond.
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await within(CLOSE_SECONDS, self.writer.wait_closed())


@contextlib.contextmanager
def translated_errors(route: Route) -> Iterator[None]:
    """Translate the errors of asyncio into errors of this SDK."""
    where = route.address.url
    if route.proxy is not None:
        where = f"{where} through the proxy {route.proxy.url}"
    try:
        yield
    # Before Python 3.11 these are two classes.
    except (TimeoutError, asyncio.TimeoutError) as error:
        raise RequestTimeoutError(f"{where} did not respond in time") from error
    except asyncio.IncompleteReadError as error:
        raise ServerUnreachableError("the connection broke during a response") from error
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise ServerUnreachableError(f"can't reach {where}: {reason}") from error
