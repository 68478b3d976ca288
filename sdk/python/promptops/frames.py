"""WebSocket frames as a client reads and writes them, without any input or output.

Source: RFC 6455, sections 5 (framing) and 7.4 (status codes).
"""

from __future__ import annotations

import os
import struct
import time
from dataclasses import dataclass

from promptops.errors import ProtocolError

CONTINUATION, TEXT, BINARY = 0x0, 0x1, 0x2
CLOSE, PING, PONG = 0x8, 0x9, 0xA

NORMAL_CLOSURE = 1000
PROTOCOL_VIOLATION = 1002
NO_STATUS = 1005
INVALID_TEXT = 1007
FLOOD = 1008
TOO_BIG = 1009

LONGEST_CONTROL_PAYLOAD = 125
# Small frames such as pings and empty texts: the burst and the rate that are allowed. A server
# sends one in several seconds.
MOST_SMALL_FRAMES, SMALL_FRAMES_A_SECOND = 1000, 100
SMALL_PAYLOAD = 16
_FIN = 0x80
_RESERVED = 0x70
_MASKED = 0x80


class FrameError(ProtocolError):
    """The peer broke the protocol; `code` is the status to close the connection with."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class FloodError(FrameError):
    """The peer floods the connection with small frames."""

    def __init__(self) -> None:
        super().__init__(FLOOD, "the server floods the connection with pings or empty frames")


@dataclass(frozen=True)
class Text:
    """A complete text message."""

    text: str


@dataclass(frozen=True)
class Binary:
    """A complete binary message."""

    data: bytes


@dataclass(frozen=True)
class Ping:
    """A ping; respond with a pong of the same payload."""

    payload: bytes


@dataclass(frozen=True)
class Pong:
    """The response to a ping, or an unsolicited pong, which shows that the server lives."""

    payload: bytes


@dataclass(frozen=True)
class Close:
    """The peer's last frame; `code` is 1005 if it has none."""

    code: int
    reason: str


Received = Text | Binary | Ping | Pong | Close


class FrameParser:
    """Parses the server's bytes into complete messages and control frames.

     Raises FrameError for everything that RFC 6455 forbids a server and for messages over `limit`
    bytes, before they are in memory; FloodError for a flood of small frames. Do not use the parser
    after an error.

    `last_frame_at` is when the last complete frame arrived, in seconds of ``time.monotonic``. Bytes
    that never complete a frame do not count.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._message = bytearray()
        self._message_opcode: int | None = None
        self.last_frame_at = time.monotonic()
        self._small_frames, self._counted_at = 0.0, self.last_frame_at

    def feed(self, data: bytes) -> None:
        """Add bytes from the network, split at any position."""
        self._buffer += data

    def next(self) -> Received | None:
        """Return the next message or control frame, or None if more bytes are needed."""
        while True:
            head = self._head()
            if head is None:
                return None
            first, start, length = head
            if len(self._buffer) < start + length:
                return None
            payload = bytes(self._buffer[start : start + length])
            del self._buffer[: start + length]
            self.last_frame_at = time.monotonic()
            if length < SMALL_PAYLOAD or first & 0x0F in {BINARY, PING, PONG}:
                self._count_small_frame()
            received = self._frame(first & 0x0F, bool(first & _FIN), payload)
            if received is not None:
                return received

    def _count_small_frame(self) -> None:
        drained = (self.last_frame_at - self._counted_at) * SMALL_FRAMES_A_SECOND
        self._small_frames = max(self._small_frames - drained, 0.0) + 1
        self._counted_at = self.last_frame_at
        if self._small_frames > MOST_SMALL_FRAMES:
            raise FloodError

    def _head(self) -> tuple[int, int, int] | None:
        """Return the first byte, the start of the payload and its length, once they are complete
        and valid."""
        if len(self._buffer) < 2:
            return None
        first, second = self._buffer[0], self._buffer[1]
        if second & _MASKED:
            raise FrameError(PROTOCOL_VIOLATION, "the server masked a frame")
        self._check_first(first, second)
        start = {126: 4, 127: 10}.get(second, 2)
        if len(self._buffer) < start:
            return None
        length = second if start == 2 else int.from_bytes(self._buffer[2:start], "big")
        if (start, length > 0xFFFF) == (10, False) or (start == 4 and length < 126):
            raise FrameError(PROTOCOL_VIOLATION, "a length is longer than it has to be")
        if len(self._message) + length > self._limit and not first & 0x08:
            raise FrameError(TOO_BIG, f"a message is over {self._limit} bytes")
        return first, start, length

    def _check_first(self, first: int, length: int) -> None:
        opcode = first & 0x0F
        if first & _RESERVED:
            raise FrameError(PROTOCOL_VIOLATION, "reserved bits without an extension")
        if opcode in {CLOSE, PING, PONG}:
            if not first & _FIN or length > LONGEST_CONTROL_PAYLOAD:
                raise FrameError(PROTOCOL_VIOLATION, "a control frame is long or in fragments")
        elif opcode in {TEXT, BINARY}:
            if self._message_opcode is not None:
                raise FrameError(PROTOCOL_VIOLATION, "a message begins inside another")
        elif opcode != CONTINUATION:
            raise FrameError(PROTOCOL_VIOLATION, f"unknown opcode {opcode}")
        elif self._message_opcode is None:
            raise FrameError(PROTOCOL_VIOLATION, "a continuation of no message")

    def _frame(self, opcode: int, final: bool, payload: bytes) -> Received | None:
        if opcode == PING:
            return Ping(payload)
        if opcode == PONG:
            return Pong(payload)
        if opcode == CLOSE:
            return _close(payload)
        if opcode != CONTINUATION:
            self._message_opcode = opcode
        self._message += payload
        return self._complete_message() if final else None

    def _complete_message(self) -> Text | Binary:
        opcode, data = self._message_opcode, bytes(self._message)
        self._message.clear()
        self._message_opcode = None
        return Text(_text(data)) if opcode == TEXT else Binary(data)


def _close(payload: bytes) -> Close:
    if not payload:
        return Close(NO_STATUS, "")
    if len(payload) == 1:
        raise FrameError(PROTOCOL_VIOLATION, "half a status code")
    (code,) = struct.unpack_from("!H", payload)
    # 1004, 1005, 1006 and 1015 are never sent.
    if not (code in {1000, 1001, 1002, 1003} or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise FrameError(PROTOCOL_VIOLATION, f"{code} is not a status code")
    return Close(code, _text(payload[2:]))


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FrameError(INVALID_TEXT, "a text is not UTF-8") from error


def control_frame(opcode: int, payload: bytes) -> bytes:
    """Return a masked control frame, as RFC 6455 requires of clients; `payload` has at most 125
    bytes."""
    return _masked(bytes([_FIN | opcode, _MASKED | len(payload)]), payload)


def text_frame(text: str) -> bytes:
    """Return a masked text message in one frame; `text` has less than 64 KiB in UTF-8."""
    payload = text.encode()
    if len(payload) <= LONGEST_CONTROL_PAYLOAD:
        return control_frame(TEXT, payload)
    return _masked(struct.pack("!BBH", _FIN | TEXT, _MASKED | 126, len(payload)), payload)


def _masked(head: bytes, payload: bytes) -> bytes:
    mask = os.urandom(4)
    repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return head + mask + masked.to_bytes(len(payload), "big")


def close_frame(code: int) -> bytes:
    """Return the frame that ends a connection; for 1005, which must not be sent, without a code."""
    return control_frame(CLOSE, b"" if code == NO_STATUS else struct.pack("!H", code))
