"""The HTTP connection: uvicorn's, with bounds on what a client may send and how slowly."""

import asyncio
import fcntl
import json
import socket
import termios
from enum import Enum, auto
from typing import Any, Protocol, cast

import httptools
from starlette.types import Scope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from promptops_platform.errors import (
    BadRequest,
    BodyTooLarge,
    HeadTooLarge,
    PlatformError,
    RequestTimeout,
)
from promptops_platform.http.connection_limits import ConnectionLimits, Place, Wait

# The connection of a request or a WebSocket, among the extensions of its scope.
EXTENSION = "promptops.connection"
NOSNIFF = (b"x-content-type-options", b"nosniff")

# Request line and header lines together.
LONGEST_HEAD = 64 * 1024
# Parsed in one go where requests may follow each other: each of them costs memory of its own.
SLICE_BYTES = 1024
BODY_SLICE_BYTES = 64 * 1024
# Of what frames a body, which are chunk extensions and trailers, without any of the body.
LONGEST_FRAMING = 64 * 1024
# A body in chunks of one byte is six times as long on the wire.
WIRE_FACTOR = 8
# Who has acknowledged nothing for so long is gone.
GONE_SECONDS = 30.0
# What a refused client may still send before it has read why.
LINGER_BYTES = 16 * 1024 * 1024
# They say who calls and whom: a second one is read by some other server on the way.
SINGLE_HEADERS = (b"authorization", b"host")


class Heir(Protocol):
    """The protocol that takes a connection over, as a WebSocket."""

    def inherit(self, place: Place | None) -> None: ...


class _Phase(Enum):
    BETWEEN = auto()
    HEAD = auto()
    BODY = auto()


class _Flow(FlowControl):
    """Does not read while requests wait for their turn."""

    is_held = False

    def resume_reading(self) -> None:
        if not self.is_held:
            super().resume_reading()


def admit(scope: Scope) -> None:
    """The caller has shown a valid token: the connection is not among the anonymous any more."""
    extensions = scope.get("extensions")
    if extensions is not None and EXTENSION in extensions:
        extensions[EXTENSION].admit()


def has_unread(transport: asyncio.BaseTransport) -> bool:
    """Whether bytes wait in the socket."""
    connection = transport.get_extra_info("socket")
    if connection is None or connection.fileno() < 0:
        return False
    answer = fcntl.ioctl(connection.fileno(), termios.FIONREAD, b"\0" * 4)
    return answer != b"\0" * 4


def give_up_when_gone(transport: asyncio.BaseTransport) -> None:
    """Let the kernel end a connection whose client acknowledges nothing any more."""
    connection = transport.get_extra_info("socket")
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        milliseconds = int(GONE_SECONDS * 1000)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


class HttpConnection(HttpToolsProtocol):
    """Ends a connection whose client sends too much, too slowly, or in a form of two meanings."""

    def __init__(self, limits: ConnectionLimits, **named: Any) -> None:
        super().__init__(**named)
        self._limits = limits
        self._place: Place | None = None
        self._is_proxied = False
        self._extensions = {EXTENSION: self}
        self._phase = _Phase.BETWEEN
        # Of the head at hand, then of the body: bytes on the wire, and since the body grew last.
        self._head_bytes = self._body_bytes = self._framing_bytes = 0
        # What its length says is still to come; None where it has chunks.
        self._body_left: int | None = None
        self._body_grew = False
        self._messages = 0
        # What came behind requests that wait for their turn.
        self._held: bytearray | None = None
        # Set when a request was refused: what is wrong, and how much came after that.
        self._refusal: PlatformError | None = None
        self._lingered_bytes = 0

    # The transport's callbacks

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport)
        give_up_when_gone(transport)
        address = self.client[0] if self.client else ""
        self._is_proxied = self._limits.is_proxy(address)
        self._limits.heads.expect(self)
        if not self._is_proxied:
            self._take_place(address)

    def connection_lost(self, exc: Exception | None) -> None:
        self._part()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._refusal is not None:
            self._lingered_bytes += len(data)
            if self._lingered_bytes > LINGER_BYTES:
                self.transport.abort()
        elif self._held is not None:
            self._held += data
        else:
            self._feed(data)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._limits.reads.expect(self)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._limits.reads.met(self)

    # The parser's callbacks

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._phase = _Phase.HEAD
        cast("dict[str, Any]", self.scope)["extensions"] = self._extensions

    def on_header(self, name: bytes, value: bytes) -> None:
        # Behind the body they are trailers, which nobody here asks for.
        if self._phase is _Phase.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._refuse_ambiguous()
        self._limits.heads.met(self)
        if self._is_proxied:
            self._take_place_of_client()
        super().on_headers_complete()
        self._phase = _Phase.BODY
        self._head_bytes = self._body_bytes = self._framing_bytes = 0
        self._body_left = self._declared_length()

    def on_body(self, body: bytes) -> None:
        self._body_grew = True
        if self._body_left is not None:
            self._body_left -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._phase = _Phase.BETWEEN
        self._messages += 1
        self._limits.bodies.met(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_proxied:
            self.admit()
        if self._held is not None and self._refusal is None and not self.pipeline:
            self.loop.call_soon(self._feed_held)

    # What the limits ask

    def admit(self) -> None:
        """The caller is known."""
        if self._place is not None:
            self._place.leave()
            self._place = None

    @property
    def waits_for_client(self) -> bool:
        return (
            self._phase is not _Phase.BETWEEN
            or not self._is_answering
            or self.flow.write_paused
            or self.transport.is_closing()
        )

    @property
    def has_unread(self) -> bool:
        return not (self.transport.is_closing() or self.flow.read_paused) and has_unread(
            self.transport
        )

    def time_out(self, wait: Wait) -> None:
        """The client did not do in time what was expected of it."""
        if wait in (Wait.READ, Wait.CLOSE):
            self.transport.abort()
            return
        self._note(f"slow_{wait.value}")
        if wait is Wait.HEAD and self._phase is _Phase.BETWEEN:
            # It has asked for nothing, so there is nothing to answer.
            self.transport.close()
            return
        seconds = (self._limits.heads if wait is Wait.HEAD else self._limits.bodies).seconds
        self._refuse(
            RequestTimeout(
                f"the request's {wait.value} took longer than {seconds:g} seconds; send it at once"
            )
        )

    def cut(self) -> None:
        """Make room for others."""
        self.transport.abort()

    # Reading

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _feed(self, data: bytes) -> None:
        start = 0
        while start < len(data):
            size = self._slice_size()
            piece = data if start == 0 and size >= len(data) else data[start : start + size]
            start += len(piece)
            if not self._feed_piece(piece):
                return
            if self.pipeline:
                self._hold(data[start:])
                return
        self._expect_rest()

    def _slice_size(self) -> int:
        if self._phase is not _Phase.BODY:
            return min(SLICE_BYTES, LONGEST_HEAD - self._head_bytes)
        if self._body_left is None:
            return SLICE_BYTES
        # No further than the body's end: what follows is another request.
        return max(1, min(BODY_SLICE_BYTES, self._body_left))

    def _feed_piece(self, piece: bytes) -> bool:
        """Parse it; False where nothing after it is to be parsed."""
        messages, self._body_grew = self._messages, False
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self._hand_over()
                return False
            # It is answered as if it had not asked.
            return self._feed_piece(piece[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(
                self._refusal or BadRequest("the request is not valid HTTP; check the client")
            )
            return False
        if self._messages == messages:
            self._count(len(piece))
        return self._refusal is None and not self.transport.is_closing()

    def _count(self, size: int) -> None:
        if self._phase is not _Phase.BODY:
            self._head_bytes += size
            if self._head_bytes >= LONGEST_HEAD:
                self._note("head_too_large")
                self._refuse(
                    HeadTooLarge(
                        f"the request's line and headers are larger than {LONGEST_HEAD} bytes; "
                        "send less, and long values in the body"
                    )
                )
            return
        self._body_bytes += size
        self._framing_bytes = 0 if self._body_grew else self._framing_bytes + size
        most = WIRE_FACTOR * self._limits.max_body_bytes
        if self._body_bytes > most:
            self._note("body_too_large")
            self._refuse(
                BodyTooLarge(f"the request's body takes more than {most} bytes; send less")
            )
        elif self._framing_bytes > LONGEST_FRAMING:
            self._note("framing_too_large")
            self._refuse(
                HeadTooLarge(
                    f"the request's chunk extensions or trailers are larger than {LONGEST_FRAMING} "
                    "bytes; leave them out"
                )
            )

    def _expect_rest(self) -> None:
        if self._phase is _Phase.BODY:
            self._limits.bodies.expect(self)
        elif self._phase is _Phase.HEAD or not self._is_answering:
            self._limits.heads.expect(self)

    def _hold(self, rest: bytes) -> None:
        self._held = bytearray(rest)
        self._flow.is_held = True
        self.flow.pause_reading()

    def _feed_held(self) -> None:
        if self._held is None or self.transport.is_closing():
            return
        held, self._held = bytes(self._held), None
        self._flow.is_held = False
        self.flow.resume_reading()
        if held:
            self._unset_keepalive_if_required()
            self._feed(held)

    @property
    def _flow(self) -> _Flow:
        return cast("_Flow", self.flow)

    # Refusing

    def _refuse_ambiguous(self) -> None:
        names = [name for name, _ in self.headers]
        for name in SINGLE_HEADERS:
            if names.count(name) > 1:
                self._refusal = BadRequest(
                    f"the header {name.decode()} is there {names.count(name)} times; send it once"
                )
                # The parser ends, and `_feed_piece` sees to the refusal.
                raise self._refusal

    def _refuse(self, error: PlatformError) -> None:
        """Answer so in place of the request at hand, and end the connection."""
        self._refusal = error
        if not self._is_answering:
            if self._phase is _Phase.BODY and self.cycle is not None:
                # It was answered without its body.
                self._linger()
            else:
                self._answer(error)
        elif self._phase is not _Phase.BODY:
            # Those before it are answered first.
            self.cycle.keep_alive = False
            self._hold(b"")
        elif self.cycle.response_started or self.pipeline:
            self.transport.abort()
        else:
            self._answer(error)

    def _answer(self, error: PlatformError) -> None:
        body = json.dumps(error.body(), ensure_ascii=False, separators=(",", ":")).encode()
        headers = [
            *self.server_state.default_headers,
            NOSNIFF,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(STATUS_LINE[error.status] + lines + b"\r\n" + body)
        if self._is_answering:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._linger()

    def _linger(self) -> None:
        """Read on for a moment: a socket that is closed unread takes the answer along."""
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._limits.closes.expect(self)

    # Places, and handing over

    def _take_place(self, address: str) -> None:
        self.admit()
        self._place = self._limits.enter(self, address)
        if self._place is None:
            self.transport.abort()

    def _take_place_of_client(self) -> None:
        """A proxy's connections are many clients', so that their requests are counted."""
        forwarded = [value for name, value in self.headers if name == b"x-forwarded-for"]
        address = self._limits.forwarded_address(b", ".join(forwarded).decode("latin-1"))
        self._take_place(address)

    def _hand_over(self) -> None:
        place, self._place = self._place, None
        self._limits.forget(self)
        self.handle_websocket_upgrade()
        heir = cast("Heir", self.transport.get_protocol())
        heir.inherit(place)
        self._extensions = {}
        self.parser = None  # type: ignore[assignment]

    def _part(self) -> None:
        self.admit()
        self._limits.forget(self)
        self._extensions = {}
        self._held = None

    def _declared_length(self) -> int | None:
        for name, value in self.headers:
            if name == b"content-length":
                return int(value)
            if name == b"transfer-encoding":
                return None
        return 0

    def _note(self, reason: str) -> None:
        self._limits.note(reason, self.client[0] if self.client else "")
