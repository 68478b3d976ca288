"""GET requests over connections that stay open and are reused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from promptops.errors import ClientClosedError
from promptops.http_response import NoResponseError, Response, ResponseReader
from promptops.proxies import Proxy
from promptops.transport import Connector, ServerAddress, Stream
from promptops.version import USER_AGENT

C = TypeVar("C")

# More connections are open only while more threads fetch at once.
IDLE_CONNECTIONS = 4
# Many servers close connections that are idle for five seconds.
IDLE_SECONDS = 4.0

# The errors of a request on an idle connection that the server has closed. A GET may be sent twice,
# so it is repeated on a new connection.
STALE = (NoResponseError, BrokenPipeError, ConnectionResetError, ConnectionAbortedError)


def reading_proxy(address: ServerAddress, proxy: Proxy | None) -> Proxy | None:
    """Return the proxy that forwards the requests; None if it makes tunnels."""
    return None if address.secure else proxy


def get_request(
    address: ServerAddress, proxy: Proxy | None, token: str, path: str, etag: str | None
) -> bytes:
    """Return the request; `path` begins with ``/`` and is encoded already.

    A `proxy` forwards requests to an http server; for others it makes a tunnel.
    """
    reader = reading_proxy(address, proxy)
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
    """Idle connections for the next request; safe between threads.

     `is_quiet` returns whether a connection has received nothing since its last response: neither
    extra data, which would be mistaken for the next response, nor the server's close.
    """

    def __init__(self, is_quiet: Callable[[C], bool], drop: Callable[[C], None]) -> None:
        self._is_quiet = is_quiet
        self._drop = drop
        self._lock = threading.Lock()
        self._entries: list[tuple[C, float]] = []
        self._closed = False

    def take(self) -> C | None:
        """Take a usable connection."""
        while True:
            with self._lock:
                if not self._entries:
                    return None
                connection, until = self._entries.pop()
            if time.monotonic() < until and self._is_quiet(connection):
                return connection
            self._drop(connection)

    def put(self, connection: C) -> None:
        """Keep the connection if there is room."""
        with self._lock:
            keep = not self._closed and len(self._entries) < IDLE_CONNECTIONS
            if keep:
                self._entries.append((connection, time.monotonic() + IDLE_SECONDS))
        if not keep:
            self._drop(connection)

    def close(self) -> list[C]:
        """Return the kept connections for the caller to close; no more are kept."""
        with self._lock:
            self._closed = True
            entries, self._entries = self._entries, []
        return [connection for connection, _ in entries]


class HttpClient:
    """Sends GET requests with the bearer token; safe between threads."""

    def __init__(self, connector: Connector, token: str) -> None:
        self._connector = connector
        self._token = token
        self._idle: IdleConnections[Stream] = IdleConnections(Stream.is_quiet, Stream.close)

    def get(self, path: str, timeout: float, etag: str | None = None) -> Response:
        """Return the response to ``GET path``, with any status.

         `path` begins with ``/`` and is encoded already; `timeout`, in seconds, limits the whole
        request. With `etag` the response may be a 304 without a body. Raises
        ServerUnreachableError, RequestTimeoutError, ProtocolError, ClientClosedError.
        """
        request = get_request(
            self._connector.address, self._connector.proxy, self._token, path, etag
        )
        deadline = time.monotonic() + timeout
        with self._connector.translated_errors():
            if self._connector.closed:
                raise ClientClosedError
            idle_stream = self._idle.take()
            if idle_stream is not None:
                try:
                    return self._exchange(idle_stream, request, deadline)
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
                # A stream checks the clock only when it waits.
                if time.monotonic() > deadline:
                    raise TimeoutError
            if proxy := reading_proxy(self._connector.address, self._connector.proxy):
                proxy.check(response.status)
            return response
        finally:
            if reader.reusable:
                self._idle.put(stream)
            else:
                stream.close()
