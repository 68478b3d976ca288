"""The handshake and the connection, with servers that send garbage, stall, drop and drip."""

from __future__ import annotations

import queue
import re
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.sync.server import ServerConnection, serve

from harness.sdk_server import (
    CLOSE,
    DEADLINE,
    PING,
    PONG,
    TEXT,
    frame,
    scripted,
    switching_protocols,
)
from promptops import (
    ForbiddenError,
    PromptOpsError,
    ProtocolError,
    RequestTimeoutError,
    ServerError,
    ServerUnreachableError,
    UnauthorizedError,
)
from promptops.frames import FrameError
from promptops.transport import Connector, ServerAddress
from promptops.websocket import ConnectionLostError, WebSocket


def open_websocket(
    url: str, timeout: float = DEADLINE, tls: ssl.SSLContext | None = None
) -> tuple[Connector, WebSocket]:
    connector = Connector(ServerAddress.parse(url), tls)
    try:
        return connector, WebSocket.open(connector, "/ws?a=b", {"X-Test": "yes"}, timeout)
    except BaseException:
        connector.close()
        raise


def read_request(connection: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(65536)
    return request


def key_of(request: bytes) -> str:
    match = re.search(rb"Sec-WebSocket-Key: (\S+)", request)
    assert match
    return match.group(1).decode()


def drain(connection: socket.socket) -> None:
    """Read until the client has closed, or has sent the first byte of a closing frame."""
    while (data := connection.recv(65536)) and bytes([0x80 | CLOSE]) not in data:
        pass


def answering(
    make_response: Callable[[str], bytes], then: Callable[[socket.socket], object] = drain
) -> Callable[[socket.socket], None]:
    def serve_one(connection: socket.socket) -> None:
        connection.sendall(make_response(key_of(read_request(connection))))
        then(connection)

    return serve_one


def test_the_handshake_request() -> None:
    requests = []

    def serve_one(connection: socket.socket) -> None:
        requests.append(read_request(connection))
        connection.sendall(switching_protocols(key_of(requests[0])))
        drain(connection)

    with scripted(serve_one) as url:
        connector, websocket = open_websocket(url + "/behind/")
        websocket.close()
        connector.close()
    lines = requests[0].decode().split("\r\n")
    assert lines[0] == "GET /behind/ws?a=b HTTP/1.1"
    assert f"Host: {url.removeprefix('http://')}" in lines
    assert {"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"} < set(lines)
    assert "X-Test: yes" in lines
    assert not any(line.startswith("Sec-WebSocket-Ext") for line in lines)


def test_bytes_in_the_segment_of_the_handshake_are_not_lost() -> None:
    greeting = frame(TEXT, b"first") + frame(TEXT, b"second")[:3]
    rest = frame(TEXT, b"second")[3:]

    def then(connection: socket.socket) -> None:
        connection.sendall(rest)
        drain(connection)

    with scripted(answering(lambda key: switching_protocols(key) + greeting, then)) as url:
        connector, websocket = open_websocket(url)
        assert websocket.receive(DEADLINE) == "first"
        assert websocket.receive(DEADLINE) == "second"
        websocket.close()
        connector.close()


def _without(key: str, start: str) -> bytes:
    lines = switching_protocols(key).decode().split("\r\n")
    return "\r\n".join(line for line in lines if not line.startswith(start)).encode()


@pytest.mark.parametrize(
    ("make_response", "error", "message"),
    [
        (lambda key: switching_protocols("x" + key), ProtocolError, "to another request"),
        (lambda key: _without(key, "Sec-WebSocket-Accept"), ProtocolError, "another request"),
        (lambda key: _without(key, "Upgrade"), ProtocolError, "did not upgrade"),
        (lambda key: _without(key, "Connection"), ProtocolError, "did not upgrade"),
        (
            lambda key: switching_protocols(key)[:-2] + b"Sec-WebSocket-Extensions: x\r\n\r\n",
            ProtocolError,
            "not offered",
        ),
        (lambda key: b"SSH-2.0-OpenSSH_9.2\r\n\r\n", ProtocolError, "not an HTTP response"),
        (lambda key: b"\x00\xff" * 40_000, ProtocolError, "over 65536 bytes"),
        (
            lambda key: b"HTTP/1.1 101 x\r\n" + b"a: b\r\n" * 200 + b"\r\n",
            ProtocolError,
            "bad headers",
        ),
        (lambda key: b"HTTP/1.1 403 Forbidden\r\n\r\n", ForbiddenError, "403"),
        (
            lambda key: b'HTTP/1.1 401 x\r\nContent-Length: 23\r\n\r\n{"error":"unauthorized"}',
            UnauthorizedError,
            "no reason",
        ),
        (
            lambda key: b'HTTP/1.1 401 x\r\nContent-Length: 24\r\n\r\n{"error":"unauthorized"}',
            UnauthorizedError,
            "401: unauthorized",
        ),
        (lambda key: b"HTTP/1.0 502 Bad Gateway\r\n\r\n<html>", ServerError, "502"),
        (lambda key: b"HTTP/1.1 200 OK\r\n\r\n", PromptOpsError, "200"),
    ],
)
def test_refusals(
    make_response: Callable[[str], bytes], error: type[Exception], message: str
) -> None:
    with scripted(answering(make_response)) as url, pytest.raises(error, match=message):
        open_websocket(url)


@settings(max_examples=30)
@given(st.binary(max_size=300))
def test_a_garbage_handshake_is_a_clean_error(garbage: bytes) -> None:
    with (
        scripted(answering(lambda key: garbage, lambda connection: None)) as url,
        pytest.raises(PromptOpsError),
    ):
        open_websocket(url)


def test_a_server_that_closes_within_the_handshake() -> None:
    with (
        scripted(answering(lambda key: b"HTTP/1.1 101 ", lambda connection: None)) as url,
        pytest.raises(ServerUnreachableError, match="within the handshake"),
    ):
        open_websocket(url)


def test_a_dripping_handshake_times_out() -> None:
    disconnected = threading.Event()

    def drip(connection: socket.socket) -> None:
        read_request(connection)
        # One byte at a time keeps every single read within its time-out.
        while not disconnected.wait(0.02):
            try:
                connection.sendall(b"H")
            except OSError:
                return

    with scripted(drip) as url:
        with pytest.raises(RequestTimeoutError):
            open_websocket(url, timeout=0.3)
        disconnected.set()


def test_a_ping_gets_a_pong_with_its_payload() -> None:
    frames_received = []

    def then(connection: socket.socket) -> None:
        connection.sendall(frame(PING, b"payload") + frame(PONG, b"") + frame(TEXT, b"after"))
        frames_received.append(connection.recv(65536))
        drain(connection)

    with scripted(answering(switching_protocols, then)) as url:
        connector, websocket = open_websocket(url)
        assert websocket.receive(DEADLINE) == "after"
        websocket.close()
        connector.close()
    mask = frames_received[0][2:6]
    assert frames_received[0][:2] == bytes([0x80 | PONG, 0x80 | 7])
    assert bytes(b ^ mask[i % 4] for i, b in enumerate(frames_received[0][6:13])) == b"payload"


def test_endless_pings_do_not_block_the_caller() -> None:
    stop = threading.Event()

    def flood(connection: socket.socket) -> None:
        reader = threading.Thread(target=drain, args=(connection,))
        reader.start()
        while not stop.is_set():
            try:
                connection.sendall(frame(PING, b""))
            except OSError:
                break
            # Enough that there is always one to read, and few enough that it is not a flood.
            stop.wait(0.005)
        reader.join()

    with scripted(answering(switching_protocols, flood)) as url:
        connector, websocket = open_websocket(url)
        assert websocket.receive(0.2) is None
        stop.set()
        websocket.close()
        connector.close()


@pytest.mark.parametrize(
    ("frames_sent", "expected"),
    [
        (frame(CLOSE, b"\x03\xf3bye"), b"\x03\xf3"),
        (frame(CLOSE, b""), b""),
    ],
)
def test_the_client_returns_the_server_s_close_frame(frames_sent: bytes, expected: bytes) -> None:
    received = []

    def then(connection: socket.socket) -> None:
        connection.sendall(frames_sent)
        received.append(connection.recv(65536))

    with scripted(answering(switching_protocols, then)) as url:
        connector, websocket = open_websocket(url)
        with pytest.raises(ConnectionLostError, match="closed the connection"):
            websocket.receive(DEADLINE)
        connector.close()
    mask = received[0][2:6]
    assert received[0][0] == 0x80 | CLOSE
    assert bytes(b ^ mask[i % 4] for i, b in enumerate(received[0][6:])) == expected


@pytest.mark.parametrize(
    ("frames_sent", "code"),
    [
        (frame(TEXT, b"\xff"), 1007),
        (b"\xff\xff\xff", 1002),
        (b"\x81\x7f" + (2**40).to_bytes(8, "big"), 1009),
    ],
)
def test_a_broken_frame_ends_the_connection_with_its_code(frames_sent: bytes, code: int) -> None:
    received = []

    def then(connection: socket.socket) -> None:
        connection.sendall(frames_sent)
        received.append(connection.recv(65536))

    with scripted(answering(switching_protocols, then)) as url:
        connector, websocket = open_websocket(url)
        with pytest.raises(FrameError):
            websocket.receive(DEADLINE)
        connector.close()
    mask = received[0][2:6]
    close_code = bytes(b ^ mask[i % 4] for i, b in enumerate(received[0][6:8]))
    assert int.from_bytes(close_code, "big") == code


def test_a_cut_connection() -> None:
    with scripted(answering(switching_protocols, lambda connection: None)) as url:
        connector, websocket = open_websocket(url)
        with pytest.raises(ConnectionLostError, match="without a close frame"):
            websocket.receive(DEADLINE)
        websocket.close()
        connector.close()


def exhaust(websocket: WebSocket) -> None:
    while True:
        websocket.receive(DEADLINE)


@settings(max_examples=30)
@given(st.binary(max_size=500))
def test_garbage_after_the_handshake_is_a_clean_error(garbage: bytes) -> None:
    def then(connection: socket.socket) -> None:
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)
        drain(connection)

    with scripted(answering(switching_protocols, then)) as url:
        connector, websocket = open_websocket(url)
        with pytest.raises(PromptOpsError):
            exhaust(websocket)
        websocket.close()
        connector.close()


def _echo_in_pieces(connection: ServerConnection) -> None:
    """The `websockets` library as the server: fragments, pings, a proper close."""
    connection.send(["frag", "men", "ted é😀"])
    connection.ping().wait(DEADLINE)
    connection.send("x" * 70_000)
    for _ in connection:
        pass


def _exchange_with_websockets(url: str, tls: ssl.SSLContext | None = None) -> None:
    connector, websocket = open_websocket(url, tls=tls)
    assert websocket.receive(DEADLINE) == "fragmented é😀"
    assert websocket.receive(DEADLINE) == "x" * 70_000
    assert websocket.receive(0) is None
    websocket.close()
    connector.close()


def test_with_an_independent_server() -> None:
    ended: queue.Queue[int | None] = queue.Queue()

    def handler(connection: ServerConnection) -> None:
        _echo_in_pieces(connection)
        ended.put(connection.close_code)

    with serve(handler, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        _exchange_with_websockets(f"http://127.0.0.1:{server.socket.getsockname()[1]}")
        assert ended.get(timeout=DEADLINE) == 1000
        server.shutdown()
        thread.join()


def test_over_tls(certificate: tuple[Path, Path]) -> None:
    key, chain = certificate
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(chain, key)
    with serve(_echo_in_pieces, "127.0.0.1", 0, ssl=server_side) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"https://localhost:{server.socket.getsockname()[1]}"
        _exchange_with_websockets(url, ssl.create_default_context(cafile=str(chain)))
        with pytest.raises(ServerUnreachableError, match="certificate verify failed"):
            open_websocket(url)
        server.shutdown()
        thread.join()
