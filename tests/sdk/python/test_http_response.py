"""HTTP responses, parsed from any split of the bytes, and their connections."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from harness.sdk_server import DEADLINE, scripted
from promptops import (
    AsyncPromptOpsClient,
    PromptOpsClient,
    ProtocolError,
    RequestTimeoutError,
    ServerUnreachableError,
)
from promptops.http import IdleConnections
from promptops.http_response import LARGEST_BODY, NoResponseError, ResponseReader

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
PROMPT = b'{"key":"%b","content":"for %b"}'


@pytest.mark.parametrize("step", [1, 7, 10_000])
@pytest.mark.parametrize(
    ("wire", "status", "body", "reusable"),
    [
        (OK + b"Content-Length: 2\r\n\r\nab", 200, b"ab", True),
        (OK + b"Content-Length: 2\r\nConnection: close\r\n\r\nab", 200, b"ab", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", 200, b"ab", False),
        (
            CHUNKED + b"1;x=y\r\na\r\n0B\r\nbcdefghijkl\r\n0\r\nT: x\r\n\r\n",
            200,
            b"abcdefghijkl",
            1,
        ),
        (b"HTTP/1.1 304 \r\nContent-Length: 9\r\n\r\n", 304, b"", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n", 200, b"", True),
        (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n", 200, b"", 1),
    ],
)
def test_a_response(wire: bytes, status: int, body: bytes, reusable: bool, step: int) -> None:
    reader = ResponseReader()
    *incomplete, last = [reader.feed(wire[at : at + step]) for at in range(0, len(wire), step)]
    assert set(incomplete) <= {None}
    assert last is not None
    assert (last.status, last.body, reader.reusable) == (status, body, bool(reusable))


def test_a_response_that_ends_with_the_connection() -> None:
    reader = ResponseReader()
    assert reader.feed(OK + b"\r\nab") is None
    response = reader.feed(b"")
    assert response is not None
    assert (response.body, reader.reusable) == (b"ab", False)


def test_extra_bytes_after_a_response_end_the_connection() -> None:
    reader = ResponseReader()
    assert reader.feed(OK + b"Content-Length: 1\r\n\r\na" + OK) is not None
    assert not reader.reusable


def read(wire: bytes) -> None:
    reader = ResponseReader()
    for at in range(0, len(wire), 65536):
        reader.feed(wire[at : at + 65536])


@pytest.mark.parametrize(
    "wire",
    [
        b"SSH-2.0\r\n",
        CHUNKED + b"-5\r\nabcdefgh\r\n0\r\n\r\n",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"\r\n",
        CHUNKED + b"f" * 16 + b"\r\n",
        CHUNKED + b"1" * 5000,
        CHUNKED + b"1\r\nab\r\n",
        CHUNKED + b"%x\r\n" % (LARGEST_BODY + 1),
        CHUNKED + b"0\r\n" + b"X: y\r\n" * 20_000,
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 0x5\r\n\r\n",
        OK + b"Content-Length: " + b"9" * 4300 + b"\r\n\r\n",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        OK + b"Content-Length: %d\r\n\r\n" % (LARGEST_BODY + 1),
        OK + b"\r\n" + b"x" * (LARGEST_BODY + 2),
        OK + b"X: " + b"y" * 70_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 4000,
    ],
)
def test_invalid_responses(wire: bytes) -> None:
    with pytest.raises(ProtocolError):
        read(wire)


def test_an_incomplete_response() -> None:
    with pytest.raises(NoResponseError):
        ResponseReader().feed(b"")
    for wire in (b"HTTP", OK, OK + b"Content-Length: 2\r\n\r\na", CHUNKED + b"1\r\n"):
        reader = ResponseReader()
        reader.feed(wire)
        with pytest.raises(ServerUnreachableError, match="broke during"):
            reader.feed(b"")


@pytest.mark.parametrize(
    ("header", "etag"),
    [('W/"a\'b"', 'W/"a\'b"'), ('"a"\r\n b', None), ('"é"', None), ("a", None)],
)
def test_an_etag_is_sent_back_only_if_it_is_one(header: str, etag: str | None) -> None:
    wire = f"HTTP/1.1 304 x\r\nETag: {header}\r\n\r\n".encode("latin-1")
    response = ResponseReader().feed(wire)
    assert response is not None
    assert response.etag == etag


@pytest.fixture
def flood() -> Iterator[str]:
    """A server that sends endlessly, faster than its client reads."""
    disconnected = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(CHUNKED)
        while not disconnected.is_set():
            try:
                connection.sendall(b"1\r\nx\r\n" * 5000)
            except OSError:
                return

    with scripted(serve) as url:
        yield url
        disconnected.set()


def test_the_time_out_applies_to_a_fast_sender(flood: str) -> None:
    began = time.monotonic()
    with PromptOpsClient(flood, timeout=0.05) as client, pytest.raises(RequestTimeoutError):
        client.get_prompt("greeting")
    assert time.monotonic() - began < 30


async def test_the_time_out_holds_against_a_fast_sender_for_asyncio(flood: str) -> None:
    began = time.monotonic()
    async with AsyncPromptOpsClient(flood, timeout=0.05) as client:
        with pytest.raises(RequestTimeoutError):
            await client.get_prompt("greeting")
    assert time.monotonic() - began < 30


Serve = Callable[[socket.socket], None]


def answering_once(stray: bytes, stray_sent: threading.Event) -> Serve:
    """Responds to the first request of each connection, and then sends extra data."""

    def serve(connection: socket.socket) -> None:
        key = connection.recv(65536).partition(b"/prompts/")[2].partition(b"?")[0]
        body = PROMPT % (key, key)
        connection.sendall(OK + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        if stray:
            connection.sendall(stray)
        else:
            connection.shutdown(socket.SHUT_RDWR)
        stray_sent.set()
        while stray and connection.recv(65536):
            pass

    return serve


STRAYS = [OK + b"Content-Length: 34\r\n\r\n" + PROMPT % (b"second", b"nobody"), b""]


@pytest.mark.parametrize("stray", STRAYS, ids=["another answer", "a goodbye"])
def test_extra_data_is_not_used_as_the_next_response(stray: bytes) -> None:
    stray_sent = threading.Event()
    with scripted(answering_once(stray, stray_sent)) as url, PromptOpsClient(url) as client:
        assert client.render("first") == "for first"
        assert stray_sent.wait(DEADLINE)
        assert client.render("second") == "for second"


def test_a_connection_that_was_idle_for_long_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[str] = []
    idle: IdleConnections[str] = IdleConnections(lambda _: True, dropped.append)
    idle.put("young")
    assert (idle.take(), dropped) == ("young", [])
    monkeypatch.setattr("promptops.http.IDLE_SECONDS", 0.0)
    idle.put("old")
    assert (idle.take(), dropped) == (None, ["old"])


@pytest.fixture
def two_addresses(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A host whose first address drops all packets, and whose second one works."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        body = PROMPT % (b"greeting", b"you")
        connection.sendall(OK + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    with scripted(serve) as url, socket.socket() as hole:
        port = int(url.rpartition(":")[2])
        hole.bind(("127.0.0.2", port))
        hole.listen(0)
        # The kernel's queue for this listener is full with this one: the next connect hangs.
        with socket.create_connection(("127.0.0.2", port)):
            addresses = [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))
                for host in ("127.0.0.2", "127.0.0.1")
            ]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
            yield f"http://two.example:{port}"
            monkeypatch.undo()


def test_the_second_address_is_tried_in_time(two_addresses: str) -> None:
    with PromptOpsClient(two_addresses, timeout=2) as client:
        assert client.render("greeting") == "for you"


async def test_the_second_address_is_tried_in_time_for_asyncio(two_addresses: str) -> None:
    async with AsyncPromptOpsClient(two_addresses, timeout=2) as client:
        assert await client.render("greeting") == "for you"
