"""A WebSocket client: handshake, pings, text messages, close.

 Source: RFC 6455, sections 4.1 (handshake), 5.5 (control frames), 7 (closing). It offers no
extensions and no subprotocols, so none may come.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Mapping
from email.message import Message

from promptops import frames
from promptops.errors import (
    ClientClosedError,
    ProtocolError,
    ServerUnreachableError,
    response_error,
)
from promptops.frames import Binary, Close, FrameError, FrameParser, Ping, Received, Text
from promptops.handshake import (
    LARGEST_HEAD,
    check_upgrade,
    handshake_request,
    parse_head,
    refusal_length,
)
from promptops.transport import Connector, Stream, Wakeup

LARGEST_MESSAGE = 1024 * 1024
# The time to send a frame, and to wait for the server's close frame.
SEND_SECONDS = 5.0
CLOSE_SECONDS = 1.0
# The close code of the server when the token or session has expired.
TOKEN_ENDED = 4401

logger = logging.getLogger("promptops")


class ConnectionLostError(ServerUnreachableError):
    """The connection ended; `code` is the code of the server's close frame, None without one."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class WebSocket:
    """An open connection, used by one thread."""

    def __init__(self, connector: Connector, stream: Stream, already_received: bytes) -> None:
        self._connector = connector
        self._stream = stream
        self._parser = FrameParser(LARGEST_MESSAGE)
        self._parser.feed(already_received)

    @property
    def last_frame_at(self) -> float:
        """Return when the last complete frame arrived, in seconds of ``time.monotonic``."""
        return self._parser.last_frame_at

    @classmethod
    def open(
        cls, connector: Connector, path: str, headers: Mapping[str, str], timeout: float
    ) -> WebSocket:
        """Connect and perform the handshake, within `timeout` seconds.

         Raises a ResponseError for a refusal, ProtocolError for an invalid handshake,
        ServerUnreachableError, RequestTimeoutError and ClientClosedError.
        """
        with connector.translated_errors():
            stream = connector.open(time.monotonic() + timeout, tunnel=True)
            try:
                rest = _shake_hands(stream, connector, path, headers)
            except BaseException:
                stream.close()
                raise
        return cls(connector, stream, rest)

    def receive(self, timeout: float, wakeup: Wakeup | None = None) -> str | None:
        """Return the next text message, or None if none is complete after `timeout` seconds or
        `wakeup` is set.

         Responds to pings. Raises ConnectionLostError if the connection has ended, and FrameError
        if the server violated the protocol; the connection is closed then.
        """
        deadline = time.monotonic() + timeout
        with self._connector.translated_errors():
            text = self._next_text()
            while text is None and self._read_until(deadline, wakeup):
                # With a steady stream of data, nothing else checks this.
                if self._connector.closed:
                    raise ClientClosedError
                text = self._next_text()
                # A server that sends only pings must not block the caller.
                if time.monotonic() > deadline:
                    break
            return text

    def send(self, text: str) -> None:
        """Send a text message of less than 64 KiB; raises the errors of `receive`."""
        with self._connector.translated_errors():
            self._stream.deadline = time.monotonic() + SEND_SECONDS
            self._stream.send(frames.text_frame(text))

    def close(self, code: int = frames.NORMAL_CLOSURE) -> None:
        """Send a close frame, wait a second for the server's, and free the connection."""
        self._stream.finish_within(CLOSE_SECONDS)
        try:
            with self._connector.translated_errors():
                self._stream.send(frames.close_frame(code))
                while self._stream.receive(65536) and time.monotonic() < self._stream.deadline:
                    pass
        except ServerUnreachableError as error:
            logger.debug("no close frame from the server: %s", error)
        finally:
            self._stream.close()

    def _read_until(self, deadline: float, wakeup: Wakeup | None) -> bool:
        """Read; returns whether any bytes arrived."""
        self._stream.deadline, self._stream.wakeup = deadline, wakeup
        try:
            data = self._stream.receive(65536)
        except TimeoutError:
            return False
        finally:
            self._stream.wakeup = None
        if not data:
            raise ConnectionLostError("the server ended the connection without a close frame")
        self._parser.feed(data)
        return True

    def _next_text(self) -> str | None:
        """Return the next text message that has arrived; handles control frames before it."""
        try:
            while (received := self._parser.next()) is not None:
                if isinstance(received, Text):
                    return received.text
                self._handle_control(received)
        except FrameError as error:
            self.close(error.code)
            raise
        return None

    def _handle_control(self, received: Received) -> None:
        if isinstance(received, Ping):
            self._stream.deadline = time.monotonic() + SEND_SECONDS
            self._stream.send(frames.control_frame(frames.PONG, received.payload))
        elif isinstance(received, Close):
            self.close(received.code)
            reason = f": {received.reason}" if received.reason else ""
            message = f"the server closed the connection ({received.code}){reason}"
            raise ConnectionLostError(message, received.code)
        elif isinstance(received, Binary):
            logger.debug("ignored a binary message of %d bytes", len(received.data))


def _shake_hands(
    stream: Stream, connector: Connector, path: str, headers: Mapping[str, str]
) -> bytes:
    """Return the bytes after the response, the beginning of the first frame."""
    request, key = handshake_request(connector.address, path, headers)
    stream.send(request)
    head, rest = _read_head(stream)
    status, fields = parse_head(head)
    if status != 101:
        raise response_error(status, _read_body(stream, rest, fields), fields.get("Location"))
    check_upgrade(fields, key)
    return rest


def _read_head(stream: Stream) -> tuple[bytes, bytes]:
    received = bytearray()
    while (end := received.find(b"\r\n\r\n", max(len(received) - 65536 - 3, 0))) < 0:
        if len(received) > LARGEST_HEAD:
            raise ProtocolError(f"the response to the handshake is over {LARGEST_HEAD} bytes")
        data = stream.receive(65536)
        if not data:
            raise ConnectionLostError("the server ended the connection within the handshake")
        received += data
    return bytes(received[: end + 4]), bytes(received[end + 4 :])


def _read_body(stream: Stream, received: bytes, fields: Message) -> bytes:
    """Return the received part of a refusal's body, for the server's message."""
    length = refusal_length(fields)
    # The status is known already and matters more than an incomplete body.
    with contextlib.suppress(OSError):
        while len(received) < length and (data := stream.receive(length - len(received))):
            received += data
    return received[:length]
