"""GET requests over connections that are kept open and reused, for asyncio."""

from __future__ import annotations

import asyncio
import ssl
from email.message import Message

from promptops.aio.streams import Connection, translated_errors
from promptops.errors import ClientClosedError, ProtocolError
from promptops.handshake import parse_head
from promptops.http import IDLE_CONNECTIONS, LARGEST_BODY, Response
from promptops.transport import ServerAddress

_STALE = (asyncio.IncompleteReadError, BrokenPipeError, ConnectionResetError)


class AsyncHttpClient:
    """Sends GET requests with the bearer token; for the tasks of one loop."""

    def __init__(self, address: ServerAddress, tls: ssl.SSLContext | None, token: str) -> None:
        self._address = address
        self._tls = tls
        self._authorization = f"Bearer {token}"
        self._idle: list[Connection] = []
        self._closed = False

    async def get(self, path: str, timeout: float, etag: str | None = None) -> Response:
        """The answer to ``GET path``, whatever its status; fails as `HttpClient.get` does."""
        lines = [
            f"GET {self._address.path}{path} HTTP/1.1",
            f"Host: {self._address.host_header}",
            f"Authorization: {self._authorization}",
            "Accept: application/json",
            *([f"If-None-Match: {etag}"] if etag is not None else []),
        ]
        request = "\r\n".join([*lines, "", ""]).encode("latin-1")
        with translated_errors(self._address):
            return await asyncio.wait_for(self._get(request), max(timeout, 0))

    async def close(self) -> None:
        """Close the idle connections; no other is used any more."""
        self._closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()

    async def _get(self, request: bytes) -> Response:
        if self._closed:
            raise ClientClosedError
        if self._idle:
            try:
                return await self._exchange(self._idle.pop(), request)
            except _STALE as error:
                # Closed since its last use. A GET may be sent twice: again, on a new connection.
                if isinstance(error, asyncio.IncompleteReadError) and error.partial:
                    raise
        return await self._exchange(await Connection.open(self._address, self._tls), request)

    async def _exchange(self, connection: Connection, request: bytes) -> Response:
        keep = False
        try:
            await connection.send(request)
            status, headers = parse_head(await connection.head())
            body, whole = await _body(connection.reader, status, headers)
            ends = headers.get("Connection", "").strip().lower() == "close"
            keep = whole and not ends and not self._closed and len(self._idle) < IDLE_CONNECTIONS
            return Response(status, headers, body)
        finally:
            if keep:
                self._idle.append(connection)
            else:
                connection.writer.close()


async def _body(reader: asyncio.StreamReader, status: int, headers: Message) -> tuple[bytes, bool]:
    """The body, and whether the connection can be used again."""
    if status in {204, 304}:
        return b"", True
    if headers.get("Transfer-Encoding", "").strip().lower() == "chunked":
        return await _chunked(reader), True
    length = headers.get("Content-Length")
    if length is None:
        return await _to_the_end(reader), False
    return await reader.readexactly(_size(length.strip(), 10)), True


async def _to_the_end(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while data := await reader.read(65536):
        body += data
        _check_size(len(body))
    return bytes(body)


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        size = _size((await _line(reader)).partition(";")[0].strip(), 16)
        _check_size(len(body) + size)
        if not size:
            break
        body += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise ProtocolError("a chunk of the answer is longer than it says")
    while await _line(reader):
        pass
    return bytes(body)


async def _line(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readuntil(b"\r\n"))[:-2].decode("latin-1")
    except asyncio.LimitOverrunError as error:
        raise ProtocolError("a line of the answer is too long") from error


def _size(digits: str, base: int) -> int:
    if not digits.isascii() or not digits.isalnum() or len(digits) > 15:
        raise ProtocolError(f"the answer has no length: {digits[:40]!r}")
    try:
        size = int(digits, base)
    except ValueError as error:
        raise ProtocolError(f"the answer has no length: {digits!r}") from error
    _check_size(size)
    return size


def _check_size(size: int) -> None:
    if size > LARGEST_BODY:
        raise ProtocolError(f"the server sent an answer of over {LARGEST_BODY} bytes")
