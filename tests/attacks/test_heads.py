"""Heads, bodies and handshakes that are too large, or mean two things."""

import json
import re
import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from harness.platform import TOKEN, RunningPlatform, new_data_folder, new_settings, running_platform
from harness.raw_http import UPGRADE, connected, exchange, header, request, status
from promptops_platform.http.connection import LINGER_BYTES, LONGEST_HEAD
from promptops_platform.settings import Settings

PIECE = 64 * 1024
# What the kernels on both ends keep beside what the server has read.
KERNEL_BYTES = 16 * 1024 * 1024
AUTHORIZATION = f"Authorization: Bearer {TOKEN}"


@pytest_asyncio.fixture(scope="module")
async def platform() -> AsyncIterator[RunningPlatform]:
    data = new_data_folder()
    own = await new_settings("sqlite", None, data, token=TOKEN)
    async with running_platform(own) as running:
        yield running
    shutil.rmtree(data)


@pytest.fixture
def flood_bytes(pytestconfig: pytest.Config) -> int:
    return (512 if pytestconfig.getoption("--long") else 48) * 1024 * 1024


def many(piece: bytes, length: int) -> Iterator[bytes]:
    """`piece` again and again, `length` bytes in all."""
    block = piece * (PIECE // len(piece) + 1)
    for _ in range(length // len(block) + 1):
        yield block


def assert_refused(answer: bytes, expected: int, code: str) -> None:
    assert status(answer) == expected, answer[:200]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == code
    assert header(answer, "x-content-type-options") == "nosniff"
    assert header(answer, "connection") == "close"


HEADS = {
    "url": (b"GET /", b"a"),
    "query": (b"GET /health?", b"a=b&"),
    "name": (b"GET /health HTTP/1.1\r\nHost: x\r\n", b"a"),
    "value": (b"GET /health HTTP/1.1\r\nHost: x\r\nX: ", b"a"),
    "blank value": (b"GET /health HTTP/1.1\r\nHost: x\r\nX:", b" "),
    "headers": (b"GET /health HTTP/1.1\r\nHost: x\r\n", b"a: b\r\n"),
    "empty headers": (b"GET /health HTTP/1.1\r\nHost: x\r\n", b"a:\r\n"),
    "empty lines": (b"", b"\r\n"),
    "handshake": (b"GET /ws HTTP/1.1\r\nHost: x\r\n" + UPGRADE, b"a: b\r\n"),
    "token": (b"GET /api/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ", b"a"),
    "second request": (request("GET /health", "Connection: keep-alive") + b"GET /", b"a"),
}


@pytest.mark.parametrize("attack", HEADS)
async def test_a_head_without_end_is_a_431(
    platform: RunningPlatform, attack: str, flood_bytes: int
) -> None:
    start, more = HEADS[attack]
    async with connected(platform.port) as connection:
        sent = await connection.send_all([start, *many(more, PIECE)])
        sent += await connection.send_all(many(more, flood_bytes))
        assert sent < LINGER_BYTES + KERNEL_BYTES
        answer = await connection.read_to_end()
    if attack == "second request":
        _, _, answer = answer.partition(b'{"ok":true}')
        # The request before it may be answered with the connection's end.
        assert answer == b"" or status(answer) == 431
    else:
        assert_refused(answer, 431, "head_too_large")
    assert (await platform.http.get("/api/me")).status_code == 200


async def test_the_limit_counts_line_and_headers_together(platform: RunningPlatform) -> None:
    padding = LONGEST_HEAD - len(request("GET /health", "X: "))
    assert (
        status(await exchange(platform.port, request("GET /health", "X: " + "a" * padding))) == 200
    )
    too_long = request("GET /health", "X: " + "a" * (padding + 1))
    assert_refused(await exchange(platform.port, too_long), 431, "head_too_large")
    in_pieces = [too_long[start : start + 1000] for start in range(0, len(too_long), 1000)]
    assert_refused(await exchange(platform.port, *in_pieces), 431, "head_too_large")


BODIES = {
    "trailers": b"1\r\n{\r\n0\r\n",
    "chunk extension": b"1;",
    "trailer": b"1\r\n{\r\n0\r\nX: ",
}


@pytest.mark.parametrize("attack", BODIES)
async def test_what_frames_a_body_is_bounded(
    platform: RunningPlatform, attack: str, flood_bytes: int
) -> None:
    start = request("POST /api/login", "Transfer-Encoding: chunked") + BODIES[attack]
    more = b"a: b\r\n" if attack == "trailers" else b"a"
    async with connected(platform.port) as connection:
        sent = await connection.send(start)
        sent += await connection.send_all(many(more, flood_bytes))
        assert sent < LINGER_BYTES + KERNEL_BYTES
        assert_refused(await connection.read_to_end(), 431, "head_too_large")


async def test_a_trailer_is_no_header(platform: RunningPlatform) -> None:
    chunked = request(
        "POST /api/logout",
        "Transfer-Encoding: chunked",
        body=f"0\r\n{AUTHORIZATION}\r\n\r\n".encode(),
    )
    assert status(await exchange(platform.port, chunked)) == 401


async def test_a_body_that_nobody_waits_for_is_bounded(
    platform: RunningPlatform, flood_bytes: int
) -> None:
    start = request("POST /api/prompts", f"Content-Length: {10**15}", "Connection: keep-alive")
    async with connected(platform.port) as connection:
        sent = await connection.send_all([start, *many(b"a", flood_bytes * 2)])
        assert sent < LINGER_BYTES + 8 * Settings().max_body_bytes + KERNEL_BYTES
        assert status(await connection.read_to_end()) == 401


@pytest.mark.parametrize("name", ["Host", "Authorization"])
@pytest.mark.parametrize("path", ["/health", "/api/me", "/api/sdk/prompts/x", "/ws", "/v1/none"])
async def test_a_header_that_may_be_there_once_is_not_taken_twice(
    platform: RunningPlatform, path: str, name: str
) -> None:
    first = "Host: localhost" if name == "Host" else AUTHORIZATION
    upgrade = UPGRADE.decode().rstrip("\r\n").split("\r\n") if path == "/ws" else []
    for second in (first, first.lower(), f"{name}: other", f"{name}:"):
        twice = request(f"GET {path}", *upgrade, first, second, host=name != "Host")
        assert_refused(await exchange(platform.port, twice), 400, "bad_request")


async def test_a_request_behind_another_is_judged_too(platform: RunningPlatform) -> None:
    first = request("GET /health", "Connection: keep-alive")
    answer = await exchange(platform.port, first + request("GET /health", "Host: other"))
    assert answer.count(b"HTTP/1.1 ") == 1
    assert status(answer) == 200


@pytest.mark.parametrize(
    "attack",
    [
        b"hello\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        request("POST /api/login", "Content-Length: 1", "Content-Length: 2", body=b"{}"),
        request("POST /api/login", "Content-Length: 5", "Transfer-Encoding: chunked"),
        request("POST /api/login", "Content-Length: -1"),
        request("POST /api/login", "Transfer-Encoding: chunked", body=b"zz\r\n"),
        request("GET /health", "X : y"),
        request("GET /health", "X: y\r\n folded"),
    ],
)
async def test_what_is_not_http_is_a_400(platform: RunningPlatform, attack: bytes) -> None:
    assert_refused(await exchange(platform.port, attack), 400, "bad_request")


@pytest.mark.parametrize(
    ("line", "headers", "expected"),
    [
        ("GET /ws", [f"X: {'a' * 9000}"], 431),
        ("GET /ws", ["X: y"] * 200, 431),
        ("GET /ws", ["Content-Length: 5"], 400),
        ("GET /ws", ["Transfer-Encoding: chunked"], 400),
        ("POST /ws", [], 400),
        ("GET /ws", [], 401),
        ("GET /other", [], 404),
    ],
)
async def test_a_handshake_is_answered_or_refused(
    platform: RunningPlatform, line: str, headers: list[str], expected: int
) -> None:
    upgrade = UPGRADE.decode().rstrip("\r\n").split("\r\n")
    answer = await exchange(platform.port, request(line, *upgrade, *headers))
    assert status(answer) == expected, answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    assert header(answer, "x-content-type-options") == "nosniff"


async def test_a_protocol_that_is_not_spoken_is_passed_over(platform: RunningPlatform) -> None:
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: x")
    answer = await exchange(
        platform.port, request("GET /health", *upgrade) + request("GET /health")
    )
    assert answer.count(b"HTTP/1.1 200 OK") == 2


async def test_pipelined_requests_are_answered_in_order(
    platform: RunningPlatform, pytestconfig: pytest.Config
) -> None:
    number = 20_000 if pytestconfig.getoption("--long") else 1_000
    paths = ["/health", "/v1/none", "/api/me"]
    asked = b"".join(
        request(f"GET {paths[n % 3]}", "Connection: keep-alive") for n in range(number)
    )
    async with connected(platform.port) as connection:
        await connection.send(asked + request("GET /health"))
        answers = await connection.read_to_end()
    statuses = [int(code) for code in re.findall(rb"HTTP/1\.1 (\d+) ", answers)]
    assert statuses == [[200, 404, 401][n % 3] for n in range(number)] + [200]


BIG_LOGINS = {
    "declared": request("POST /api/login", "Content-Length: 5000", body=b"[" * 5000),
    "chunked": request(
        "POST /api/login",
        "Transfer-Encoding: chunked",
        body=b"1388\r\n" + b"[" * 5000 + b"\r\n0\r\n\r\n",
    ),
    "with a token": request(
        "POST /api/login", AUTHORIZATION, "Content-Length: 5000", body=b"[" * 5000
    ),
    "no route": request("POST /other", "Content-Length: 5000", body=b"[" * 5000),
}


@pytest.mark.parametrize("attack", BIG_LOGINS)
async def test_nobody_unknown_sends_more_than_a_login(
    platform: RunningPlatform, attack: str
) -> None:
    answer = await exchange(platform.port, BIG_LOGINS[attack])
    assert status(answer) == 413, answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "body_too_large"


MANY_VALUES = {
    "lists": b'{"key":[' + b"[]," * 60_000 + b"[]]}",
    "texts": b'{"key":[' + b'"",' * 60_000 + b'""]}',
    "members": b"{" + b",".join(b'"%d":{}' % n for n in range(60_000)) + b"}",
    "quoted quotes": b'{"key":["\\\\","\\"",' + b'"\\\\",' * 60_000 + b'""]}',
    "utf-16": ('{"key":[' + "\u2200[]," * 60_000 + "[]]}").encode("utf-16-le"),
}


@pytest.mark.parametrize("attack", MANY_VALUES)
async def test_a_body_of_very_many_values_is_a_400(platform: RunningPlatform, attack: str) -> None:
    answer = await platform.http.post("/api/prompts", content=MANY_VALUES[attack])
    assert answer.status_code == 400
    assert "more than 30000 values" in answer.json()["error"]


async def test_long_numbers_in_a_long_body_are_a_400(platform: RunningPlatform) -> None:
    numbers = b",".join([b"7" * 1001] * 100)
    answer = await platform.http.post("/api/prompts", content=b'{"key":[' + numbers + b"]}")
    assert answer.status_code == 400
    assert "more than 1000 digits" in answer.json()["error"]
    assert (await platform.create(content="1" * 70_000))["content"] == "1" * 70_000


async def test_a_text_may_hold_any_number_of_commas(platform: RunningPlatform) -> None:
    text = 'a,[{"\\' * 30_000
    created = await platform.create(content=text)
    assert created["content"] == text
