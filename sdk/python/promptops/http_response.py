"""Parses HTTP responses incrementally, without input and output.

Source: RFC 9112, sections 4 (status line), 6 (message body) and 7.1 (chunks).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from email.message import Message

from promptops.errors import ProtocolError, ServerUnreachableError
from promptops.handshake import LARGEST_HEAD, parse_head

LARGEST_BODY = 16 * 1024 * 1024
LONGEST_CHUNK_LINE = 4096
# Chunks of one byte each would take too long to read.
MOST_CHUNKS = 65536

_BEGINNING = b"HTTP/1."
_LENGTH = re.compile(r"[0-9]{1,15}")
_CHUNK_LENGTH = re.compile(rb"[0-9A-Fa-f]{1,15}")
# A value that can be sent back unchanged.
_ETAG = re.compile(r'(?:W/)?"[!#-~]*"')


class NoResponseError(ServerUnreachableError):
    """The connection ended before the first byte of a response."""


@dataclass(frozen=True)
class Response:
    """A response with any status; header names are case-insensitive."""

    status: int
    headers: Message
    body: bytes

    @property
    def etag(self) -> str | None:
        """Return the header unchanged, with its quotes."""
        etag = self.headers.get("ETag", "").strip()
        return etag if _ETAG.fullmatch(etag) else None


class ResponseReader:
    """Parses one response from chunks of any size.

     Raises ProtocolError for anything that is not HTTP or is larger than any response of PromptOps,
    before it is in memory, and ServerUnreachableError if the connection ends too early.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._has_ended = self._has_data = False
        self._steps = self._read()
        next(self._steps)
        # Whether the connection can be reused; valid after the response.
        self.reusable = False

    def feed(self, data: bytes) -> Response | None:
        """Return the response when it is complete; ``b""`` means that the connection has ended."""
        self._buffer += data
        self._has_ended = not data
        self._has_data = self._has_data or bool(data)
        try:
            next(self._steps)
        except StopIteration as finished:
            response: Response = finished.value
            return response
        return None

    def _read(self) -> Generator[None, None, Response]:
        head, status, headers = yield from self._final_head()
        framed, body = True, b""
        if headers.get("Transfer-Encoding", "").strip().lower() == "chunked":
            body = yield from self._chunks()
        elif status in {101, 204, 304}:
            pass
        elif "Content-Length" in headers:
            body = yield from self._exactly(_content_length(headers))
        else:
            framed = False
            body = yield from self._to_the_end()
        ends = "close" in headers.get("Connection", "").lower()
        # Extra data belongs to no request.
        clean = not self._buffer and status != 101
        self.reusable = framed and clean and not ends and head.startswith(b"HTTP/1.1")
        return Response(status, headers, body)

    def _final_head(self) -> Generator[None, None, tuple[bytes, int, Message]]:
        """Return the head of the final response, after interim ones (100, 103)."""
        allowed = LARGEST_HEAD
        while True:
            head = yield from self._until(b"\r\n\r\n", allowed, _check_beginning)
            status, headers = parse_head(head)
            if not 100 <= status < 200 or status == 101:
                return head, status, headers
            allowed -= len(head)

    def _chunks(self) -> Generator[None, None, bytes]:
        body, chunks = bytearray(), 0
        while size := _chunk_length((yield from self._until(b"\r\n", LONGEST_CHUNK_LINE))):
            chunks += 1
            if chunks > MOST_CHUNKS:
                raise ProtocolError(f"the server sent a response of over {MOST_CHUNKS} chunks")
            _check_size(len(body) + size)
            body += yield from self._exactly(size)
            if (yield from self._exactly(2)) != b"\r\n":
                raise ProtocolError("a chunk of the response is longer than its length")
        allowed = LARGEST_HEAD
        while (trailer := (yield from self._until(b"\r\n", allowed))) != b"\r\n":
            allowed -= len(trailer)
        return bytes(body)

    def _to_the_end(self) -> Generator[None, None, bytes]:
        while not self._has_ended:
            _check_size(len(self._buffer))
            yield
        return self._take(len(self._buffer))

    def _until(
        self, end: bytes, longest: int, check: Callable[[bytearray], None] = lambda _: None
    ) -> Generator[None, None, bytes]:
        searched = 0
        while (index := self._buffer.find(end, searched)) < 0:
            check(self._buffer)
            if len(self._buffer) > longest:
                break
            searched = max(len(self._buffer) - len(end) + 1, 0)
            yield from self._more()
        if not 0 <= index <= longest:
            raise ProtocolError(f"a head or a line of the response is over {longest} bytes")
        return self._take(index + len(end))

    def _exactly(self, size: int) -> Generator[None, None, bytes]:
        while len(self._buffer) < size:
            yield from self._more()
        return self._take(size)

    def _more(self) -> Generator[None, None, None]:
        if self._has_ended and not self._has_data:
            raise NoResponseError("the server ended the connection without a response")
        if self._has_ended:
            raise ServerUnreachableError("the connection broke during a response")
        yield

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data


def _check_beginning(received: bytearray) -> None:
    """Detect other protocols immediately, not at the end of their data."""
    beginning = bytes(received[: len(_BEGINNING)])
    if not _BEGINNING.startswith(beginning):
        raise ProtocolError(f"not an HTTP response: {bytes(received[:100])!r}")


def _content_length(headers: Message) -> int:
    lengths = {length.strip() for length in headers.get_all("Content-Length", [])}
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise ProtocolError(f"the response has no valid length: {length[:40]!r}")
    _check_size(int(length))
    return int(length)


def _chunk_length(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not _CHUNK_LENGTH.fullmatch(digits):
        raise ProtocolError(f"a chunk of the response has no valid length: {digits[:40]!r}")
    return int(digits, 16)


def _check_size(size: int) -> None:
    if size > LARGEST_BODY:
        raise ProtocolError(f"the server sent a response of over {LARGEST_BODY} bytes")
