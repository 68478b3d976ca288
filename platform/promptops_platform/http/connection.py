"""The HTTP connection: uvicorn's, with limits on what a client may send and how slowly."""

import asyncio
import json
from enum import Enum, auto
from typing import Any, cast

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
from promptops_platform.http.connection_limits import ConnectionLimits, Heir, Place, Wait
from promptops_platform.http.kernel_sockets import give_up_when_gone, has_unread

# The key of a connection among the extensions of a request's or WebSocket's scope.
EXTENSION = "promptops.connection"
NOSNIFF = (b"x-content-type-options", b"nosniff")

# The request line and the header lines together.
LONGEST_HEAD = 64 * 1024
# Bytes that are parsed at once if several requests may follow each other, because each of them
# costs memory.
SLICE_BYTES = 1024
BODY_SLICE_BYTES = 64 * 1024
# Consecutive bytes of chunk extensions and trailers, without any byte of the body.
LONGEST_FRAMING = 64 * 1024
# A body in chunks of one byte is six times as long on the wire.
WIRE_FACTOR = 8
# A refused client may send this much more before it has read the reason.
LINGER_BYTES = 16 * 1024 * 1024
# These headers identify the caller and the host. If one is sent twice, another server on the way
# may read the other one.
SINGLE_HEADERS = (b"authorization", b"host")


class _Phase(Enum):
    BETWEEN = auto()
    HEAD = auto()
    BODY = auto()


class _Flow(FlowControl):
    """Doesn't resume reading while requests are queued."""

    is_held = False

    def resume_reading(self) -> None:
        if not self.is_held:
            super().resume_reading()


def admit(scope: Scope) -> None:
    """The caller has sent a valid token, so the connection no longer counts as anonymous."""
    extensions = scope.get("extensions")
    if extensions is not None and EXTENSION in extensions:
        extensions[EXTENSION].admit()


class HttpConnection(HttpToolsProtocol):
    """Closes a connection whose client sends too much, too slowly, or ambiguously."""

    def __init__(self, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(**options)
        self._limits = limits
        self._place: Place | None = None
        self._is_proxied = False
        self._extensions = {EXTENSION: self}
        self._phase = _Phase.BETWEEN
        # Bytes on the wire of the current head, then of the body, and those since the body last
        # grew.
        self._head_bytes = self._body_bytes = self._framing_bytes = 0
        # Bytes of the body that remain by its length; None if it is chunked.
        self._body_left: int | None = None
        self._body_grew = False
        self._messages = 0
        # Bytes that follow queued requests.
        self._held: bytearray | None = None
        # Set when a request was refused: the error, and how many bytes followed.
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

    def on_headers_complete(self) -> None:
        self._read_headers()
        self._limits.heads.met(self)
        if self._is_proxied:
            self._take_place_of_client()
        super().on_headers_complete()
        self._phase = _Phase.BODY
        self._head_bytes = self._body_bytes = self._framing_bytes = 0
        if not self.parser.should_upgrade():
            # The headers after the body are trailers, which nothing here reads.
            self.headers = []

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

    # For the limits

    def admit(self) -> None:
        """The caller is authenticated."""
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
        """Close a connection whose client was too slow."""
        if wait in (Wait.READ, Wait.CLOSE):
            self.transport.abort()
            return
        self._note(f"slow_{wait.value}")
        if wait is Wait.HEAD and self._phase is _Phase.BETWEEN:
            # The client has sent no request, so there is no response to send.
            self.transport.close()
            return
        seconds = (self._limits.heads if wait is Wait.HEAD else self._limits.bodies).seconds
        self._refuse(
            RequestTimeout(
                f"the request's {wait.value} took longer than {seconds:g} seconds; send it at once"
            )
        )

    def cut(self) -> None:
        """Close the connection to make room for others."""
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
        # Not beyond the body's end: what follows is another request.
        return max(1, min(BODY_SLICE_BYTES, self._body_left))

    def _feed_piece(self, piece: bytes) -> bool:
        """Parse the piece; return False if nothing after it may be parsed."""
        messages, self._body_grew = self._messages, False
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self._hand_over()
                return False
            # Handle the request as if it had not asked for an upgrade.
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

    def _read_headers(self) -> None:
        """Read the length of the body; raises an error for a head that servers may interpret
        differently."""
        self._body_left = 0
        names: set[bytes] = set()
        for name, value in self.headers:
            if name in SINGLE_HEADERS:
                if name in names:
                    self._refusal = BadRequest(
                        f"the header {name.decode()} was sent more than once; send it once"
                    )
                    # The parser stops here, and `_feed_piece` responds with the error.
                    raise self._refusal
                names.add(name)
            elif name == b"content-length" and self._body_left is not None:
                self._body_left = int(value)
            elif name == b"transfer-encoding":
                self._body_left = None

    def _refuse(self, error: PlatformError) -> None:
        """Respond to the current request with the error, and close the connection."""
        self._refusal = error
        if not self._is_answering:
            if self._phase is _Phase.BODY and self.cycle is not None:
                # The response was sent before the request's body had arrived.
                self._linger()
            else:
                self._answer(error)
        elif self._phase is not _Phase.BODY:
            # The requests before it get their responses first.
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
        """Keep reading for a moment: closing a socket with unread data discards the response."""
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._limits.closes.expect(self)

    # Places, and handing the connection over

    def _take_place(self, address: str) -> None:
        self.admit()
        self._place = self._limits.enter(self, address)
        if self._place is None:
            self.transport.abort()

    def _take_place_of_client(self) -> None:
        """A proxy's connections serve many clients, so each request takes its own place."""
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

    def _note(self, reason: str) -> None:
        self._limits.note(reason, self.client[0] if self.client else "")
