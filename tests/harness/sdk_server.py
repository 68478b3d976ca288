"""A server that implements the SDK's part of the contract, with control over every byte.

It replaces the platform where a test needs what a healthy platform never does: responses that hang,
invalid handshakes, frames in pieces, connections that drop. Nothing here sleeps: tests wait for
events with a deadline.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import queue
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from harness.ports import free_port

DEADLINE = 60.0
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


def frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """A frame as a server sends it, unmasked."""
    first = (0x80 if final else 0) | opcode
    if len(payload) < 126:
        return struct.pack("!BB", first, len(payload)) + payload
    if len(payload) < 0x10000:
        return struct.pack("!BBH", first, 126, len(payload)) + payload
    return struct.pack("!BBQ", first, 127, len(payload)) + payload


def event(key: str, version: str = "v1", kind: str = "prompt.updated") -> dict[str, Any]:
    """A change as the server sends it."""
    return {"type": kind, "id": f"id-{key}", "key": key, "env": "prod", "version": version}


class Watcher:
    """The server's side of one event stream."""

    def __init__(
        self,
        connection: socket.socket,
        received: BufferedIOBase,
        path: str,
        headers: dict[str, str],
    ) -> None:
        self.path = path
        self.headers = headers
        self.ended = threading.Event()
        self._connection = connection
        self._received = received
        connection.settimeout(DEADLINE)

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def tell(self, event: dict[str, Any]) -> None:
        self.send(frame(TEXT, json.dumps(event).encode()))

    def ping(self, payload: bytes = b"") -> None:
        self.send(frame(PING, payload))

    def receive(self) -> tuple[int, bytes]:
        """The client's next frame, unmasked; EOFError if it closed without one."""
        head = self._exactly(2)
        assert head[0] & 0x80, "a client's frame in fragments"
        assert head[1] & 0x80, "a client's frame without a mask"
        length = head[1] & 0x7F
        if length > 125:
            length = int.from_bytes(self._exactly(2 if length == 126 else 8), "big")
        mask = self._exactly(4)
        masked = self._exactly(length)
        return head[0] & 0x0F, bytes(b ^ mask[i % 4] for i, b in enumerate(masked))

    def drop(self) -> None:
        """Cut the connection without a close frame."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self.ended.set()

    def _exactly(self, count: int) -> bytes:
        data = self._received.read(count)
        if len(data) < count:
            raise EOFError("the client closed")
        return data


@dataclass
class Hold:
    """Holds a prompt's responses until the test releases them."""

    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    released: threading.Event = field(default_factory=threading.Event)

    def wait_for_request(self) -> None:
        assert self.arrived.acquire(timeout=DEADLINE), "no request came"

    def release(self) -> None:
        self.released.set()


@dataclass
class Request:
    """A client's request."""

    path: str
    headers: dict[str, str]
    connection: int


@dataclass
class Answer:
    """The response to a request; `hang_up` cuts the connection instead."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False


class SdkServer:
    """Set `prompts`, `statuses` and `holds` by key; take the watchers with `watcher()`."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.prompts: dict[str, dict[str, Any]] = {}
        self.bodies: dict[str, tuple[int, bytes]] = {}
        # The redirect targets of fetches by key.
        self.redirects: dict[str, str] = {}
        self.holds: dict[str, Hold] = {}
        self.requests: list[Request] = []
        self.refuse_watch: tuple[int, bytes] | None = None
        self.with_handshake = b""
        self.token = "promptops-dev-token"
        self._tls = tls
        self.watchers: list[Watcher] = []
        self.new_watchers: queue.Queue[Watcher] = queue.Queue()
        self.connections: set[socket.socket] = set()
        self.port = free_port()
        self.start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}"

    def put(self, key: str, content: str, version: str = "v1") -> None:
        self.prompts[key] = {
            "key": key,
            "version": version,
            "env": "prod",
            "model": "",
            "content": content,
        }

    def watcher(self) -> Watcher:
        """The next client that connects to the event stream."""
        return self.new_watchers.get(timeout=DEADLINE)

    def fetches(self, key: str) -> int:
        return sum(request.path.startswith(f"/api/sdk/prompts/{key}?") for request in self.requests)

    def answer(self, path: str, headers: dict[str, str]) -> Answer:
        """The response to a GET."""
        if headers.get("authorization") != f"Bearer {self.token}":
            return Answer(401, b'{"error":"unauthorized: no or wrong token"}')
        key = key_in(path)
        if key in self.redirects:
            return Answer(302, headers={"Location": self.redirects[key]})
        if key in self.bodies:
            return Answer(*self.bodies[key])
        if key not in self.prompts:
            return Answer(404, json.dumps({"error": f"no prompt {key!r}"}).encode())
        return conditional(headers, json.dumps(self.prompts[key]).encode())

    def follow(self, watcher: Watcher) -> None:
        """Keep the connection open: the test reads and writes it."""
        watcher.ended.wait()

    def start(self) -> None:
        """Listen, on the previous port if there was one."""
        self._http = _Listener(("127.0.0.1", self.port), _handler(self))
        if self._tls is not None:
            self._http.socket = self._tls.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        """Stop like a killed process: every connection is cut."""
        for hold in self.holds.values():
            hold.release()
        self._http.shutdown()
        self._http.socket.close()
        self.drop_connections()
        self._thread.join()
        self._http.server_close()

    def drop_connections(self) -> None:
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for watcher in self.watchers:
            watcher.drop()


class _Listener(ThreadingHTTPServer):
    # Stopping waits for every handler, so that a test leaves no thread behind.
    daemon_threads = False
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Broken connections are intended here."""


def _handler(server: SdkServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        harness = server

    return Handler


class _Handler(BaseHTTPRequestHandler):
    harness: SdkServer
    protocol_version = "HTTP/1.1"
    # Head and body in one segment, like common servers.
    wbufsize = -1
    # Frames are sent at once, too: otherwise each waits for the acknowledgement of the previous
    # one.
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.harness.connections.add(self.connection)

    def finish(self) -> None:
        self.harness.connections.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        if self.path.startswith("/ws"):
            self._upgrade(headers)
            return
        self.harness.requests.append(Request(self.path, headers, self.client_address[1]))
        # Decided before the wait, like a server that has read its data and is then slow to respond.
        answer = self.harness.answer(self.path, headers)
        hold = self.harness.holds.get(key_in(self.path))
        if hold is not None:
            hold.arrived.release()
            hold.released.wait(DEADLINE)
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        if answer.hang_up:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()

    def _upgrade(self, headers: dict[str, str]) -> None:
        self.close_connection = True
        if headers.get("authorization") != f"Bearer {self.harness.token}":
            self._send(Answer(401, b'{"error":"unauthorized: no or wrong token"}'))
            return
        if self.harness.refuse_watch is not None:
            self._send(Answer(*self.harness.refuse_watch))
            return
        self.wfile.write(switching_protocols(headers["sec-websocket-key"]))
        self.wfile.write(self.harness.with_handshake)
        self.wfile.flush()
        watcher = Watcher(self.connection, self.rfile, self.path, headers)
        self.harness.watchers.append(watcher)
        self.harness.new_watchers.put(watcher)
        self.harness.follow(watcher)


def key_in(path: str) -> str:
    """The requested prompt."""
    return unquote(urlsplit(path).path.rpartition("/")[2])


def conditional(headers: dict[str, str], body: bytes, **more: str) -> Answer:
    """The response with its ETag, or a 304."""
    answered = {"ETag": f'"{hashlib.sha256(body).hexdigest()}"', **more}
    if headers.get("if-none-match") == answered["ETag"]:
        return Answer(304, headers=answered)
    return Answer(200, body, answered)


def accept_value(key: str) -> str:
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    return base64.b64encode(digest).decode()


def switching_protocols(key: str) -> bytes:
    """The response to a handshake with this ``Sec-WebSocket-Key``."""
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_value(key)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


@contextlib.contextmanager
def scripted(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that passes each connection in turn to `serve` and closes it; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()

        def accept() -> None:
            while not ended.is_set():
                with contextlib.suppress(OSError):
                    connection, _ = listener.accept()
                    with connection:
                        connection.settimeout(DEADLINE)
                        if not ended.is_set():
                            serve(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            ended.set()
            # Wakes up the thread if it waits for a connection.
            with contextlib.suppress(OSError), socket.create_connection(listener.getsockname()):
                pass
            thread.join(DEADLINE)
