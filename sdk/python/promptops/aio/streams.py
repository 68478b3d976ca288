"""Connections for asyncio, and what fails on them as this SDK's errors."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from promptops.aio.tunnels import open_tunnel
from promptops.aio.waiting import within
from promptops.errors import ProtocolError, RequestTimeoutError, ServerUnreachableError
from promptops.handshake import LARGEST_HEAD
from promptops.proxies import Proxy
from promptops.transport import SHORTEST_CONNECT_SECONDS, ServerAddress

CLOSE_SECONDS = 1.0


@dataclass(frozen=True)
class Route:
    """How the server is reached."""

    address: ServerAddress
    proxy: Proxy | None
    tls: ssl.SSLContext | None


class Connection:
    """One connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, route: Route, *, tunnel: bool = False) -> Connection:
        """Connect, and encrypt where the server is secure.

        Where there is a proxy to an http server, it is connected to that, but with a `tunnel`
        to the server.
        """
        address, proxy, tls = route.address, route.proxy, route.tls
        if proxy is not None and (tunnel or tls is not None):
            tunneled = await open_tunnel(proxy, address.host_header)
            return await cls._of_socket(tunneled, route)
        target = proxy or address
        reader, writer = await asyncio.open_connection(
            target.host,
            target.port,
            ssl=tls,
            limit=LARGEST_HEAD,
            happy_eyeballs_delay=SHORTEST_CONNECT_SECONDS,
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
        """Hand it to the kernel, or to the buffer before it."""
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> bytes:
        """An HTTP head, with the empty line at its end."""
        try:
            return await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError as error:
            raise ProtocolError(f"the answer's head is over {LARGEST_HEAD} bytes") from error

    def is_quiet(self) -> bool:
        """Whether nothing has come that was not read yet, not even that the server has closed."""
        reading = self.reader.read(1)
        try:
            # Only what need not be waited for: no task is needed for that, nor any other turn.
            reading.send(None)
        except (StopIteration, OSError):
            return False
        reading.close()
        return not self.writer.transport.is_closing()

    def drop(self) -> None:
        """Free the socket soon, whatever the server says to that."""
        self.writer.close()

    async def close(self) -> None:
        """Free the socket."""
        self.writer.close()
        # TLS says goodbye, which a server that is gone doesn't answer.
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await within(CLOSE_SECONDS, self.writer.wait_closed())


@contextlib.contextmanager
def translated_errors(route: Route) -> Iterator[None]:
    """The border: what asyncio raises leaves as this SDK's errors."""
    where = route.address.url
    if route.proxy is not None:
        where = f"{where} through the proxy {route.proxy.url}"
    try:
        yield
    # Until Python 3.11 these are two classes.
    except (TimeoutError, asyncio.TimeoutError) as error:
        raise RequestTimeoutError(f"{where} did not answer in time") from error
    except asyncio.IncompleteReadError as error:
        raise ServerUnreachableError("the connection broke within an answer") from error
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise ServerUnreachableError(f"can't reach {where}: {reason}") from error
