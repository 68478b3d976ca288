"""TCP and TLS connections with deadlines, which `close` can interrupt."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote, urlsplit

from promptops.errors import ClientClosedError, RequestTimeoutError, ServerUnreachableError
from promptops.masking import masked_url
from promptops.proxies import Proxy, proxy_for

T = TypeVar("T")

# poll() has no limit on descriptors, unlike select(), and needs none, unlike epoll.
_Selector: type[selectors.BaseSelector] = getattr(
    selectors, "PollSelector", selectors.SelectSelector
)
SHORTEST_CONNECT_SECONDS = 0.25
_PATH_CHARACTERS = "/%:@!$&'()*+,;=~"
_CONNECTING = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN}


@dataclass(frozen=True)
class ServerAddress:
    """The server's address; `path` is a prefix of PromptOps' paths, usually empty."""

    url: str
    secure: bool
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> ServerAddress:
        """Raises ValueError for anything but http(s)://host[:port][/path]."""
        try:
            return cls._of(url)
        except ValueError:
            # No cause, because its message may contain a password.
            raise ValueError(
                "the server's address must look like http://host:8080, without a user, a password"
                f" and a query, not {masked_url(url)!r}"
            ) from None

    @classmethod
    def _of(cls, url: str) -> ServerAddress:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        plain = not (parts.query or parts.fragment or parts.username is not None or parts.port == 0)
        host = _ascii_host(parts.hostname or "")
        if parts.scheme not in {"http", "https"} or not host or not plain:
            raise ValueError
        port = parts.port or (443 if secure else 80)
        path = quote(parts.path.rstrip("/"), safe=_PATH_CHARACTERS)
        return cls(url.rstrip("/"), secure, host, port, path)

    def proxy(self) -> Proxy | None:
        """Return the proxy of the environment for this server; ValueError if it is invalid."""
        return proxy_for(self.host, self.port, secure=self.secure, environment=os.environ)

    @property
    def host_header(self) -> str:
        """Return ``host:port`` for the header ``Host``, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def _ascii_host(host: str) -> str:
    """Return the host in the form of DNS; empty if it is invalid."""
    try:
        encoded = host.encode("idna").decode("ascii")
    except UnicodeError:
        return ""
    return encoded if all("!" <= character <= "~" for character in encoded) else ""


class Interrupt:
    """A flag that wakes up every thread that waits in a `Stream`; it can be set once."""

    def __init__(self) -> None:
        self._set = threading.Event()
        # The socket to wait on, and the socket to write to; None while nobody waits.
        self._sockets: tuple[socket.socket, socket.socket] | None = None

    def prepare(self) -> None:
        """Prepare before the first stream waits."""
        if self._sockets is None:
            self._sockets = socket.socketpair()

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when the flag is set."""
        return self._sockets[0].fileno() if self._sockets is not None else -1

    def set(self) -> None:
        """Wake up all waiting threads; can be called again."""
        if not self._set.is_set():
            self._set.set()
            if self._sockets is not None:
                self._sockets[1].send(b"\0")

    def is_set(self) -> bool:
        """Whether `set` was called."""
        return self._set.is_set()

    def wait(self, seconds: float) -> None:
        """Sleep until the flag is set, at most so long."""
        self._set.wait(seconds)

    def close(self) -> None:
        """Free the descriptors when no stream waits on them any more."""
        for end in self._sockets or ():
            end.close()


class Wakeup:
    """Wakes up one thread that waits in a `Stream`, any number of times; safe between threads."""

    def __init__(self) -> None:
        self._waited_on, self._written_to = socket.socketpair()
        self._waited_on.setblocking(False)
        self._written_to.setblocking(False)

    def fileno(self) -> int:
        """Return a descriptor that is readable while it is set."""
        return self._waited_on.fileno()

    def set(self) -> None:
        """Wake up the thread; does nothing after `close`."""
        # The socket is full of pending wake-ups, or closed.
        with contextlib.suppress(OSError):
            self._written_to.send(b"\0")

    def clear(self) -> None:
        """Discard all pending wake-ups."""
        with contextlib.suppress(BlockingIOError):
            while self._waited_on.recv(4096):
                pass

    def close(self) -> None:
        """Free the descriptors."""
        self._waited_on.close()
        self._written_to.close()


class Stream:
    """One connection to the server, used by one thread at a time.

     Every operation ends at ``deadline`` (in seconds of ``time.monotonic``) with TimeoutError, and
    with ClientClosedError as soon as the interrupt is set; other failures are OSErrors. Operations
    that need no waiting succeed even after the deadline. A `wakeup` ends the waiting like the
    deadline.
    """

    def __init__(
        self, interrupt: Interrupt, deadline: float, on_close: Callable[[Stream], None]
    ) -> None:
        self.deadline = deadline
        self.wakeup: Wakeup | None = None
        self._interrupt: Interrupt | None = interrupt
        self._on_close: Callable[[Stream], None] | None = on_close
        self._socket: socket.socket | None = None

    def connect(self, host: str, port: int) -> None:
        """Connect to the first of the host's addresses that accepts a connection."""
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        deadline, failure = self.deadline, OSError("the host has no address")
        for number, (family, kind, protocol, _, target) in enumerate(addresses):
            # An address that drops all packets must leave time for the next one.
            share = (deadline - time.monotonic()) / (len(addresses) - number)
            self.deadline = min(deadline, time.monotonic() + max(share, SHORTEST_CONNECT_SECONDS))
            try:
                self._socket = socket.socket(family, kind, protocol)
                self._connect_to(self._socket, target)
                break
            except OSError as error:
                failure = error
                self._close_socket()
            finally:
                self.deadline = deadline
        else:
            raise failure

    def tunnel(self, proxy: Proxy, authority: str) -> None:
        """Ask the connected proxy for a tunnel to ``host:port``."""
        self.send(proxy.tunnel_request(authority))
        received = bytearray()
        while not proxy.has_tunnel(received):
            data = self.receive(4096)
            if not data:
                raise OSError(errno.ECONNRESET, "the proxy ended the connection")
            received += data

    def encrypt(self, tls: ssl.SSLContext, host: str) -> None:
        """Encrypt the connection with TLS from now on."""
        encrypted = tls.wrap_socket(
            self._connected(), server_hostname=host, do_handshake_on_connect=False
        )
        self._socket = encrypted
        self._when_ready(encrypted.do_handshake, selectors.EVENT_READ)

    def is_quiet(self) -> bool:
        """Whether there is nothing to read, not even the server's close."""
        try:
            self._connected().recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            pass
        return False

    def receive(self, limit: int) -> bytes:
        """Return one to `limit` bytes; ``b""`` if the server has closed."""
        connected = self._connected()
        return self._when_ready(lambda: connected.recv(limit), selectors.EVENT_READ)

    def send(self, data: bytes) -> None:
        """Pass all bytes to the kernel."""
        connected = self._connected()
        rest = memoryview(data)
        while rest:
            sent_bytes = self._when_ready(lambda: connected.send(rest), selectors.EVENT_WRITE)  # noqa: B023
            rest = rest[sent_bytes:]

    def finish_within(self, seconds: float) -> None:
        """From now on wait for the server even though the client closes, but at most so long."""
        self._interrupt = None
        self.deadline = time.monotonic() + seconds

    def close(self) -> None:
        """Free the descriptor; can be called again."""
        self._close_socket()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close(self)

    def abandon(self) -> None:
        """Free the descriptor of a connection that another process continues to use."""
        self._close_socket()

    def _close_socket(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return self._socket

    def _connect_to(self, connecting: socket.socket, target: object) -> None:
        connecting.setblocking(False)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = connecting.connect_ex(target)  # type: ignore[arg-type]  # as getaddrinfo gave it
        if code in _CONNECTING:
            self._wait(selectors.EVENT_WRITE)
            code = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))

    def _when_ready(self, operation: Callable[[], T], events: int) -> T:
        while True:
            try:
                return operation()
            except BlockingIOError:  # noqa: PERF203 (it is the loop's purpose)
                self._wait(events)
            # TLS may have to read in order to write, and vice versa.
            except ssl.SSLWantReadError:
                self._wait(selectors.EVENT_READ)
            except ssl.SSLWantWriteError:
                self._wait(selectors.EVENT_WRITE)

    def _wait(self, events: int) -> None:
        with _Selector() as selector:
            selector.register(self._connected(), events)
            if self._interrupt is not None:
                selector.register(self._interrupt, selectors.EVENT_READ)
            if self.wakeup is not None:
                selector.register(self.wakeup, selectors.EVENT_READ)
            ready = selector.select(max(self.deadline - time.monotonic(), 0))
        if any(key.fileobj is self._interrupt for key, _ in ready):
            raise ClientClosedError
        if all(key.fileobj is self.wakeup for key, _ in ready):
            raise TimeoutError("timed out")


class Connector:
    """Opens streams to one server, until it is closed; safe between threads."""

    def __init__(self, address: ServerAddress, tls: ssl.SSLContext | None = None) -> None:
        self.address = address
        self.proxy = address.proxy()
        self._tls = (tls or ssl.create_default_context()) if address.secure else None
        self._interrupt = Interrupt()
        self._lock = threading.Lock()
        self._open_streams: set[Stream] = set()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._interrupt.is_set()

    def sleep(self, seconds: float) -> None:
        """Wait until the connector is closed, at most so long."""
        self._interrupt.wait(seconds)

    def open(self, deadline: float, *, tunnel: bool = False) -> Stream:
        """Return a connected stream with this deadline; raises the errors of `Stream`.

         It connects to the proxy of an http server if there is one, or with `tunnel` through it to
        the server.
        """
        with self._lock:
            if self.closed:
                raise ClientClosedError
            self._interrupt.prepare()
            stream = Stream(self._interrupt, deadline, self._stream_closed)
            self._open_streams.add(stream)
        try:
            self._connect(stream, tunnel=tunnel or self.address.secure)
        except BaseException:
            stream.close()
            raise
        return stream

    def _connect(self, stream: Stream, *, tunnel: bool) -> None:
        target = self.proxy or self.address
        stream.connect(target.host, target.port)
        if self.proxy is not None and tunnel:
            stream.tunnel(self.proxy, self.address.host_header)
        if self._tls is not None:
            stream.encrypt(self._tls, self.address.host)

    def close(self) -> None:
        """Interrupt every stream, so that its user closes it; can be called again."""
        with self._lock:
            self._interrupt.set()
            self._free_when_unused()

    def abandon(self) -> None:
        """In a child process: free the descriptors of the parent's connections."""
        for stream in list(self._open_streams):
            stream.abandon()
        self._interrupt.close()

    def _stream_closed(self, stream: Stream) -> None:
        with self._lock:
            self._open_streams.discard(stream)
            self._free_when_unused()

    def _free_when_unused(self) -> None:
        if self.closed and not self._open_streams:
            self._interrupt.close()

    @contextlib.contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Translate the errors of the socket library into errors of this SDK."""
        where = self.address.url
        if self.proxy is not None:
            where = f"{where} through the proxy {self.proxy.url}"
        try:
            yield
        except TimeoutError as error:
            raise RequestTimeoutError(f"{where} did not respond in time") from error
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
            raise ServerUnreachableError(f"can't reach {where}: {reason}") from error
