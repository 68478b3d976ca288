"""The WebSocket of a watcher, below ASGI: one frame, encoded once, is written to all of them."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.exceptions import SecurityError
from websockets.frames import Frame
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from promptops_flows.processes.waiting import happens_within
from promptops_platform.errors import BadRequest, HeadTooLarge, PlatformError
from promptops_platform.http.connection import EXTENSION, NOSNIFF
from promptops_platform.http.connection_limits import Place, Wait
from promptops_platform.http.kernel_sockets import has_unread

# How long a client may take to read what waits for it, including the close frame, and to reply to
# it.
CLOSE_SECONDS = 10.0
# The same if nobody waits for the client: at a stop, and after its messages are ignored.
GOODBYE_SECONDS = 1.0

# Limits for a client's messages. The longest ones are reports of the keys in its memory.
PERIOD_SECONDS = 10.0
MOST_FRAMES, MOST_BYTES = 1000, 8 * 1024 * 1024
MOST_FRAGMENTS = 64
# Bytes that are parsed in one go: a single read of a socket may return many thousand empty frames.
SLICE_BYTES = 4 * 1024
STOPPING, TOO_MUCH = 1012, 1008
# Headers of the response to a refused watcher, the same as those of all other responses.
REFUSED_HEADERS = (NOSNIFF, (b"cache-control", b"no-store"))


class _Handshake(ServerProtocol):
    """Refuses with the same body as all other errors."""

    def reject(self, status: HTTPStatus | int, text: str) -> Response:
        return refusal(BadRequest(text.strip()), HTTPStatus(status))


def refusal(error: PlatformError, status: HTTPStatus) -> Response:
    """Return the response to a failed handshake."""
    body = json.dumps(error.body(), separators=(",", ":")).encode()
    headers = Headers(
        {
            "Connection": "close",
            "Content-Length": str(len(body)),
            "Content-Type": "application/json",
            "X-Content-Type-Options": "nosniff",
        }
    )
    return Response(status, status.phrase, headers, body)


class WatchConnection(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket; an endpoint finds it among the extensions of its scope.

    ASGI would need a waiting task for each connection, and would encode each message for each of
    them.
    """

    # There are many connections: with slots, their dictionaries stay as small as uvicorn's own
    # attributes need.
    __slots__ = ("_bytes_received", "_frames_received", "_period_began", "_place", "when_writable")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = _Handshake(max_size=self.config.ws_max_size, logger=self.conn.logger)
        self.when_writable: Callable[[], None] | None = None
        # The connection keeps its place until the caller is authenticated.
        self._place: Place | None = None
        # The amount received in the current period, and the start of that period.
        self._frames_received = self._bytes_received = 0
        self._period_began = 0.0

    def inherit(self, place: Place | None) -> None:
        """Take over the place of the HTTP connection that was upgraded."""
        self._place = place
        if place is not None:
            place.connection = self

    def admit(self) -> None:
        """Record that the caller is authenticated."""
        if self._place is not None:
            self._place.leave()
            self._place = None

    @property
    def waits_for_client(self) -> bool:
        """Part of the `Limited` protocol: only true after a refusal, until the client leaves."""
        return self.transport.is_closing()

    @property
    def has_unread(self) -> bool:
        return not self.transport.is_closing() and has_unread(self.transport)

    def time_out(self, _wait: Wait) -> None:
        self.cut()

    def cut(self) -> None:
        """Close the connection to make room for others."""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.admit()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), SLICE_BYTES):
            piece = data[start : start + SLICE_BYTES]
            if self._is_too_much(bytes_received=len(piece)):
                return
            super().data_received(piece)
        failure = self.conn.handshake_exc
        if failure is not None and not self.handshake_initiated:
            self._refuse_handshake(failure)

    def handle_events(self) -> None:
        if not self._is_too_much(frames_received=len(self.conn.events)):
            super().handle_events()

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= MOST_FRAGMENTS:
            self.end(TOO_MUCH, "too many fragments; send a report in one frame", GOODBYE_SECONDS)
        elif not self.close_sent:
            super().handle_cont(event)

    def handle_ping(self) -> None:
        # Pongs that nobody reads would accumulate: when the client reads again, one pong for the
        # newest ping is enough.
        if self.is_paused:
            self.conn.data_to_send()
        else:
            super().handle_ping()

    def shutdown(self) -> None:
        if not self.handshake_complete:
            super().shutdown()
        elif self.conn.state is State.OPEN:
            self.end(STOPPING, "the server is stopping; connect again")
        self.transport.close()
        self.loop.call_later(GOODBYE_SECONDS, self.transport.abort)

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *REFUSED_HEADERS]}
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            # The watcher was refused: the missing handshake is then no fault.
            self.handshake_complete = True

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"] = cast(
                "Any", {**(self.scope["extensions"] or {}), EXTENSION: self}
            )

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.when_writable is not None:
            self.when_writable()

    @property
    def is_paused(self) -> bool:
        """Whether more data waits for the client than a burst explains."""
        return not self.writable.is_set()

    @property
    def unread(self) -> int:
        """Return the bytes that wait because the client does not read."""
        return self.transport.get_write_buffer_size()

    def write(self, frame: bytes) -> None:
        """Send a ready frame; does nothing if the connection is closing."""
        if not (self.close_sent or self.disconnected or self.transport.is_closing()):
            self.transport.write(frame)

    async def drained(self, seconds: float) -> bool:
        """Wait until the client has read everything; False if it has not after `seconds`."""
        return await happens_within(self.writable, seconds)

    def end(self, code: int, reason: str, seconds: float = CLOSE_SECONDS) -> None:
        """Close the connection. A client that does not read is cut off after this many seconds."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(seconds, self.transport.abort)

    def _refuse_handshake(self, failure: Exception) -> None:
        """Refuse a head that is valid HTTP but not a valid handshake; uvicorn would leave such a
        client waiting."""
        error: PlatformError
        if isinstance(failure.__cause__, SecurityError):
            error = HeadTooLarge(
                "a line of the handshake is too long, or it has too many; send less"
            )
        else:
            error = BadRequest(
                "the handshake is not valid; send GET with HTTP/1.1 and without a body"
            )
        self.transport.write(refusal(error, HTTPStatus(error.status)).serialize())
        self.handshake_complete = self.close_sent = True
        self.transport.close()

    def _is_too_much(self, *, frames_received: int = 0, bytes_received: int = 0) -> bool:
        """Whether the client sends more than allowed. If so, it gets the reason, and its messages
        are ignored from then on."""
        now = self.loop.time()
        if now >= self._period_began + PERIOD_SECONDS:
            self._period_began, self._frames_received, self._bytes_received = now, 0, 0
        self._frames_received += frames_received
        self._bytes_received += bytes_received
        if self._frames_received <= MOST_FRAMES and self._bytes_received <= MOST_BYTES:
            return False
        if self.handshake_complete:
            self.end(
                TOO_MUCH, "the client sent too much in a short time; connect again", GOODBYE_SECONDS
            )
        else:
            self.transport.abort()
        return True
