"""HTTP byte by byte, for requests that no client library sends."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import cast

HOST = "127.0.0.1"
UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
# Longer than any expected wait.
PATIENCE_SECONDS = 60.0


class RawConnection(asyncio.Protocol):
    """A connection that sends given bytes, and keeps received ones, even before a reset."""

    def __init__(self) -> None:
        self.received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._closed = asyncio.Event()
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport

    @property
    def is_closed(self) -> bool:
        return self._closed.is_set()

    async def send(self, *pieces: bytes) -> int:
        """Send them one after the other; returns how many bytes were sent before the server
        disconnected."""
        return await self.send_all(pieces)

    async def send_all(self, pieces: Iterable[bytes]) -> int:
        sent = 0
        for piece in pieces:
            if self.is_closed:
                break
            self.transport.write(piece)
            # Also if nothing waits: received data is read between two pieces.
            await asyncio.sleep(0)
            await self._writable.wait()
            sent += len(piece)
        return sent

    async def read_to_end(self) -> bytes:
        """The data received until the server closed."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._closed.wait()
        return bytes(self.received)

    async def read_until(self, mark: bytes) -> bytes:
        """The data received, once it contains `mark`."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while mark not in self.received:
                assert not self.is_closed, bytes(self.received)
                self._news.clear()
                await self._news.wait()
        return bytes(self.received)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._news.set()

    def connection_lost(self, _error: Exception | None) -> None:
        for event in (self._closed, self._news, self._writable):
            event.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[RawConnection]:
    """A connection to a server on this machine, closed at the end."""
    connection = await opened(port)
    try:
        yield connection
    finally:
        connection.transport.abort()


async def opened(port: int) -> RawConnection:
    """A connection that the caller closes."""
    _, connection = await asyncio.get_running_loop().create_connection(RawConnection, HOST, port)
    return connection


async def exchange(port: int, *pieces: bytes) -> bytes:
    """Send these, and read until the server closes."""
    async with connected(port) as connection:
        await connection.send(*pieces)
        return await connection.read_to_end()


def request(line: str, *headers: str, body: bytes = b"", host: bool = True) -> bytes:
    """A request whose connection is closed after its response, unless `headers` say otherwise."""
    lines = [f"{line} HTTP/1.1", *(["Host: localhost"] if host else []), *headers]
    if not any(header.lower().startswith("connection:") for header in headers):
        lines.append("Connection: close")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def status(answer: bytes) -> int:
    """The status of the first response; 0 if the server disconnected without one."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def header(answer: bytes, name: str) -> str | None:
    """A header of the first response."""
    for line in answer.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.decode().lower() == name:
            return value.strip().decode()
    return None
