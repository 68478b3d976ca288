"""GET requests over connections that are kept open and reused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from promptops.errors import ClientClosedError
from promptops.proxies import Proxy
from promptops.responses import NoAnswerError, Response, ResponseReader
from promptops.transport import Connector, ServerAddress, Stream
from promptops.version import USER_AGENT

C = TypeVar("C")

# More than this are open only while more threads fetch at once.
IDLE_CONNECTIONS = 4
# Many servers close what is idle for five.
IDLE_SECONDS = 4.0

# How a server's closing of an idle connection shows when the next request is sent on it. A GET may
# be sent twice: again, on a new connection.
STALE = (NoAnswerError, BrokenPipeError, ConnectionResetError, ConnectionAbortedError)


def get_request(
    address: ServerAddress, proxy: Proxy | None, token: str, path: str, etag: str | None
) -> bytes:
    """What is sent; `path` begins with ``/`` and is encoded already.

    To an http server a `proxy` passes the request on, to others only its bytes.
    """
    reader = None if address.secure else proxy
    target = f"http://{address.host_header}" if reader else ""
    lines = [
        f"GET {target}{address.path}{path} HTTP/1.1",
        f"Host: {address.host_header}",
        f"Authorization: Bearer {token}",
        f"User-Agent: {USER_AGENT}",
        "Accept: application/json",
        *(reader.headers if reader else []),
        *([f"If-None-Match: {etag}"] if etag is not None else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


class IdleConnections(Generic[C]):
    """Connections that wait for their next request; safe between threads.

    `is_quiet` says of one that nothing has come on it since its last answer: neither what nobody
    has asked for, which would be taken for the next answer, nor the server's goodbye.
    """

    def __init__(self, is_quiet: Callable[[C], bool], drop: Callable[[C], None]) -> None:
        self._is_quiet = is_quiet
        self._drop = drop
        self._lock = threading.Lock()
        self._kept: list[tuple[C, float]] = []
        self._closed = False

    def take(self) -> C | None:
        """One that can be used at once."""
        while True:
            with self._lock:
                if not self._kept:
                    return None
                connection, until = self._kept.pop()
            if time.monotonic() < until and self._is_quiet(connection):
                return connection
            self._drop(connection)

    def put(self, connection: C) -> None:
        """Keep it, if there is room."""
        with self._lock:
            keep = not self._closed and len(self._kept) < IDLE_CONNECTIONS
            if keep:
                self._kept.append((connection, time.monotonic() + IDLE_SECONDS))
        if not keep:
            self._drop(connection)

    def close(self) -> list[C]:
        """Those that were kept, for the caller to close; none is kept any more."""
        with self._lock:
            self._closed = True
            kept, self._kept = self._kept, []
        return [connection for connection, _ in kept]


class HttpClient:
    """Sends GET requests with the bearer token; safe between threads."""

    def __init__(self, connector: Connector, token: str) -> None:
        self._connector = connector
        self._token = token
        self._idle: IdleConnections[Stream] = IdleConnections(Stream.is_quiet, Stream.close)

    def get(self, path: str, timeout: float, etag: str | None = None) -> Response:
        """The answer to ``GET path``, whatever its status.

        `path` begins with ``/`` and is encoded already; `timeout` in seconds is for the whole
        of it. With `etag` the answer may be a 304 without body. Raises ServerUnreachableError,
        RequestTimeoutError, ProtocolError, ClientClosedError.
        """
        request = get_request(
            self._connector.address, self._connector.proxy, self._token, path, etag
        )
        deadline = time.monotonic() + timeout
        with self._connector.translated_errors():
            if self._connector.closed:
                raise ClientClosedError
            kept = self._idle.take()
            if kept is not None:
                try:
                    return self._exchange(kept, request, deadline)
                except STALE:
                    pass
            return self._exchange(self._connector.open(deadline), request, deadline)

    def close(self) -> None:
        """Close the idle connections; those in use close as their requests end."""
        for stream in self._idle.close():
            stream.close()

    def _exchange(self, stream: Stream, request: bytes, deadline: float) -> Response:
        reader = ResponseReader()
        try:
            stream.deadline = deadline
            stream.send(request)
            while (response := reader.feed(stream.receive(65536))) is None:
                # A stream only looks at the clock where it has to wait.
                if time.monotonic() > deadline:
                    raise TimeoutError
            return response
        finally:
            if reader.reusable:
                self._idle.put(stream)
            else:
                stream.close()
