"""GET requests over connections that are kept open and reused."""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import TYPE_CHECKING, cast

from promptops.errors import ClientClosedError, ProtocolError, ServerUnreachableError
from promptops.transport import Connector, Stream

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LARGEST_BODY = 64 * 1024 * 1024
# More than this are open only while more threads fetch at once.
IDLE_CONNECTIONS = 4

# How a server's closing of an idle connection shows when the next request is sent on it.
_STALE = (
    http.client.RemoteDisconnected,
    BrokenPipeError,
    ConnectionResetError,
    ConnectionAbortedError,
)


@dataclass(frozen=True)
class Response:
    """An answer of any status; the names of its headers are in any case."""

    status: int
    headers: Message
    body: bytes

    @property
    def etag(self) -> str | None:
        """The header as it came, with its quotes."""
        return self.headers.get("ETag")


class _Reader(io.RawIOBase):
    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        data = self._stream.receive(len(view))
        view[: len(data)] = data
        return len(data)


class _HttpSocket:
    """As much of a socket as ``http.client`` uses, over a stream.

    It closes the socket as soon as it has read the head of a last answer, whose body it reads
    afterwards; therefore the stream is closed by `_Connection` only.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.sendall = stream.send

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._stream))

    def close(self) -> None:
        pass


class _Connection:
    def __init__(self, stream: Stream, host: str) -> None:
        self._stream = stream
        self._host = host
        self._http = http.client.HTTPConnection(host)
        self._http.sock = cast("socket.socket", _HttpSocket(stream))
        self.reusable = True

    def get(self, target: str, headers: Mapping[str, str], deadline: float) -> Response:
        self.reusable = False
        self._stream.deadline = deadline
        self._http.request("GET", target, headers={"Host": self._host, **headers})
        response = self._http.getresponse()
        with response:
            body = _whole_body(response)
            self.reusable = response.isclosed() and not response.will_close
        return Response(response.status, response.headers, body)

    def close(self) -> None:
        self._http.close()
        self._stream.close()


def _whole_body(response: http.client.HTTPResponse) -> bytes:
    body = bytearray()
    while data := response.read(65536):
        body += data
        if len(body) > LARGEST_BODY:
            raise ProtocolError(f"the server sent an answer of over {LARGEST_BODY} bytes")
    # http.client doesn't tell by itself that a body is shorter than announced, when read in parts.
    if response.length:
        raise http.client.IncompleteRead(bytes(body), response.length)
    return bytes(body)


class HttpClient:
    """Sends GET requests with the bearer token; safe between threads."""

    def __init__(self, connector: Connector, token: str) -> None:
        self._connector = connector
        self._authorization = f"Bearer {token}"
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []

    def get(self, path: str, timeout: float, etag: str | None = None) -> Response:
        """The answer to ``GET path``, whatever its status.

        `path` begins with ``/`` and is encoded already; `timeout` in seconds is for the whole
        of it. With `etag` the answer may be a 304 without body. Raises ServerUnreachableError,
        RequestTimeoutError, ProtocolError, ClientClosedError.
        """
        headers = {"Authorization": self._authorization, "Accept": "application/json"}
        if etag is not None:
            headers["If-None-Match"] = etag
        target = self._connector.address.path + path
        with self._connector.translated_errors():
            try:
                return self._get(target, headers, time.monotonic() + timeout)
            except http.client.RemoteDisconnected:
                # Is a ConnectionResetError, too, and that is what it means.
                raise
            except http.client.IncompleteRead as error:
                raise ServerUnreachableError("the connection broke within an answer") from error
            except http.client.HTTPException as error:
                url = self._connector.address.url
                raise ProtocolError(f"{url} does not speak HTTP: {error!r}") from error

    def close(self) -> None:
        """Close the idle connections; those in use close as their requests end."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _get(self, target: str, headers: Mapping[str, str], deadline: float) -> Response:
        if self._connector.closed:
            raise ClientClosedError
        kept = self._take_idle()
        if kept is not None:
            try:
                return self._exchange(kept, target, headers, deadline)
            except _STALE:
                # Closed since its last use. A GET may be sent twice: again, on a new connection.
                pass
        stream = self._connector.open(deadline)
        fresh = _Connection(stream, self._connector.address.host_header)
        return self._exchange(fresh, target, headers, deadline)

    def _exchange(
        self, connection: _Connection, target: str, headers: Mapping[str, str], deadline: float
    ) -> Response:
        try:
            return connection.get(target, headers, deadline)
        finally:
            self._put_back(connection)

    def _take_idle(self) -> _Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _put_back(self, connection: _Connection) -> None:
        with self._lock:
            closed = self._connector.closed
            keep = connection.reusable and not closed and len(self._idle) < IDLE_CONNECTIONS
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()
