"""Bytes that arrive in any portions become lines, and lines become server-sent events."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """`name` is empty where the stream gives none. One that `is_whole` is no event: the server has
    answered with one JSON object instead of a stream, as some do that don't know `stream`."""

    data: str
    name: str = ""
    is_whole: bool = False


class LineSplitter:
    """Lines without their ends, which are LF, CR or CRLF. Each comes out with its last byte."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []
        self._after_cr = False

    @property
    def rest(self) -> bytes:
        """What came after the last line end."""
        return b"".join(self._begun)

    def feed(self, chunk: bytes) -> list[bytes]:
        if not chunk:
            return []
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        lines = []
        for part in chunk.splitlines(keepends=True):
            line = part.rstrip(b"\r\n")
            self._begun.append(line)
            if len(line) < len(part):
                lines.append(b"".join(self._begun))
                self._begun.clear()
        self._after_cr = chunk.endswith(b"\r")
        return lines


class EventParser:
    """Server-sent events as the HTML standard defines them, without ids and reconnection."""

    def __init__(self) -> None:
        self._lines = LineSplitter()
        self._first = True
        self._data: list[str] = []
        self._name = ""

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that this chunk completes; raises UnicodeDecodeError."""
        events = []
        for raw in self._lines.feed(chunk):
            line = raw.removeprefix(_BYTE_ORDER_MARK) if self._first else raw
            self._first = False
            if line:
                self._take(line.decode())
            elif self._data:
                events.append(ServerSentEvent("\n".join(self._data), self._name))
                self._data, self._name = [], ""
            else:
                self._name = ""
        return events

    def unfinished(self) -> ServerSentEvent | None:
        """The event that the end of the stream left without its blank line, as far as it came."""
        with suppress(UnicodeDecodeError):
            self._take(self._lines.rest.decode())
        return ServerSentEvent("\n".join(self._data), self._name) if self._data else None

    def _take(self, line: str) -> None:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
