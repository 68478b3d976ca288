"""An HTTP proxy that records its requests: it makes tunnels and forwards requests."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from urllib.parse import urlsplit

SECONDS = 10.0
PROXY_LOGIN = "proxy-authorization"


class HttpProxy:
    """Host names are ignored: all its connections go to `port` on this machine."""

    def __init__(self, port: int, credentials: str = "") -> None:
        self._port = port
        expected = base64.b64encode(credentials.encode()).decode()
        self._expected = f"Basic {expected}" if credentials else ""
        # The first line of each request.
        self.asked: list[str] = []
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.authority = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        for end in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(SECONDS)
        for end in [self._listener, *self._open]:
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                thread = threading.Thread(target=self._serve, args=(client,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while head := _read_head(client):
                first, *headers = head.decode("latin-1").split("\r\n")
                self.asked.append(first)
                if self._expected and _login(headers) != self._expected:
                    client.sendall(b"HTTP/1.1 407 x\r\nContent-Length: 0\r\n\r\n")
                elif first.startswith("CONNECT "):
                    server = self._connect()
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    self._pass_on(client, server)
                    return
                else:
                    self._forward(client, first, headers)

    def _connect(self) -> socket.socket:
        server = socket.create_connection(("127.0.0.1", self._port))
        self._open.append(server)
        return server

    def _forward(self, client: socket.socket, first: str, headers: list[str]) -> None:
        """One request, like that of a separate client; the server ends the connection after it."""
        method, url, version = first.split(" ")
        parts = urlsplit(url)
        kept = [header for header in headers if header and not header.lower().startswith("proxy-")]
        lines = [f"{method} {parts.path}?{parts.query} {version}", *kept, "Connection: close"]
        server = self._connect()
        server.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        while data := server.recv(65536):
            client.sendall(data)
        client.shutdown(socket.SHUT_WR)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        back = threading.Thread(target=_copy, args=(server, client))
        back.start()
        _copy(client, server)
        back.join(SECONDS)


def _login(headers: list[str]) -> str:
    fields = [header.partition(":") for header in headers]
    return "".join(value.strip() for name, _, value in fields if name.lower() == PROXY_LOGIN)


def _read_head(client: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        data = client.recv(1)
        if not data:
            return b""
        head += data
    return head


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
