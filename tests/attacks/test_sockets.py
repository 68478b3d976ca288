"""Connections that keep the server waiting, and more of them than it has places for."""

import asyncio
import resource
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from harness.platform import (
    TOKEN,
    RunningPlatform,
    new_data_folder,
    new_settings,
    next_event,
    running_platform,
    until,
)
from harness.raw_http import RawConnection, connected, exchange, opened, request, status
from promptops_platform import open_files

pytestmark = pytest.mark.trial

AUTHORIZATION = f"Authorization: Bearer {TOKEN}"
KEPT = "Connection: keep-alive"


@asynccontextmanager
async def attacked(data: Path, **settings: Any) -> AsyncIterator[RunningPlatform]:
    """A platform whose time-outs are short, unless `settings` say otherwise."""
    values = {"head_seconds": 1.0, "body_seconds": 1.0, **settings}
    own = await new_settings("sqlite", None, data, token=TOKEN, **values)
    async with running_platform(own) as platform:
        yield platform


@pytest_asyncio.fixture(scope="module")
async def hasty() -> AsyncIterator[RunningPlatform]:
    data = new_data_folder()
    async with attacked(data) as platform:
        yield platform
    shutil.rmtree(data)


@asynccontextmanager
async def many_connections(
    platform: RunningPlatform, number: int, start: bytes
) -> AsyncIterator[list[RawConnection]]:
    """So many connections that have sent `start`."""
    connections: list[RawConnection] = []
    try:
        for _ in range(number):
            connection = await opened(platform.port)
            connections.append(connection)
            await connection.send(start)
        yield connections
    finally:
        for connection in connections:
            connection.transport.abort()


def still_open(connections: Sequence[RawConnection]) -> int:
    return sum(not connection.is_closed for connection in connections)


SLOW = {
    "silent": (b"", 0),
    "empty lines": (b"\r\n", 0),
    "line": (b"GET /health", 408),
    "headers": (b"GET /health HTTP/1.1\r\nHost: x\r\n", 408),
    "handshake": (b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n", 408),
    "known caller": (f"GET /api/me HTTP/1.1\r\nHost: x\r\n{AUTHORIZATION}\r\n".encode(), 408),
    "body": (request("POST /api/login", "Content-Length: 20", body=b"{"), 408),
    "chunks": (request("POST /api/login", "Transfer-Encoding: chunked", body=b"1\r\n{"), 408),
    "trailers": (
        request("POST /api/login", "Transfer-Encoding: chunked", body=b"0\r\na: b\r\n"),
        408,
    ),
    "known caller's body": (
        request("POST /api/prompts", AUTHORIZATION, "Content-Length: 20", body=b"{"),
        408,
    ),
    "refused body": (request("POST /api/prompts", KEPT, "Content-Length: 20", body=b"{"), 401),
    "body of a GET": (request("GET /health", KEPT, "Content-Length: 20", body=b"{"), 200),
    "second head": (request("GET /health", KEPT) + b"GET /", 200),
}


async def test_a_slow_client_is_hung_up_on(hasty: RunningPlatform) -> None:
    starts = [start for start, _ in SLOW.values()]
    answers = await asyncio.gather(*(exchange(hasty.port, start) for start in starts))
    statuses = dict(zip(SLOW, map(status, answers), strict=True))
    assert statuses == {name: expected for name, (_, expected) in SLOW.items()}


TRICKLES = [
    (b"", b"\r\n"),
    (b"GET /health HTTP/1.1\r\n", b"a: b\r\n"),
    (request("GET /health", KEPT), b"\r\n"),
    (request("POST /api/login", "Content-Length: 4000"), b" "),
    (request("POST /api/login", "Transfer-Encoding: chunked"), b"1\r\n \r\n"),
    (request("POST /api/login", "Transfer-Encoding: chunked", body=b"0\r\n"), b"a: b\r\n"),
    (request("POST /api/prompts", KEPT, "Content-Length: 4000"), b" "),
]


async def test_a_trickle_is_no_progress(hasty: RunningPlatform) -> None:
    async def trickle(start: bytes, more: bytes) -> None:
        async with connected(hasty.port) as connection:
            await connection.send(start)
            while not connection.is_closed:
                await connection.send(more)
                await asyncio.sleep(0.05)

    async with asyncio.timeout(30):
        await asyncio.gather(*(trickle(start, more) for start, more in TRICKLES))


async def test_who_does_not_read_the_answer_is_hung_up_on(hasty: RunningPlatform) -> None:
    async with connected(hasty.port) as connection:
        connection.transport.pause_reading()
        ask = request("GET /openapi.json", KEPT)
        # Soon there are more answers than the kernels on both ends take.
        async with asyncio.timeout(60):
            while not connection.is_closed:
                await connection.send(ask)
                await asyncio.sleep(0.02)


async def test_places_are_for_those_who_do_not_keep_others_waiting(
    data_folder: Path, pytestconfig: pytest.Config
) -> None:
    """Whoever fills them with one address, or with all of them, locks nobody out."""
    number = 3000 if pytestconfig.getoption("--long") else 300
    settings = {"anonymous_connections": 60, "anonymous_connections_per_address": 40}
    with capture_logs() as logs:
        async with (
            attacked(data_folder, head_seconds=300.0, **settings) as platform,
            many_connections(platform, number, b"GET /health HTTP/1.1\r\n") as attackers,
        ):
            async with asyncio.timeout(30):
                while still_open(attackers) > 40:
                    answer = await exchange(platform.port, request("GET /health"))
                    assert status(answer) == 200
                    login = await exchange(
                        platform.port,
                        request("POST /api/login", "Content-Length: 2", body=b"{}"),
                    )
                    assert status(login) in (400, 401)
                    assert (await platform.http.get("/api/me")).status_code == 200
            # The newest are the last to go.
            assert not attackers[-1].is_closed
    lines = [line for line in logs if line["event"] == "connections_cut"]
    # Not one for each of them.
    assert 0 < len(lines) < 10
    assert lines[0]["address_cap"] > 0
    assert lines[0]["last_address"] == "127.0.0.1"


@pytest.mark.parametrize(
    "start",
    [
        b"",
        request("GET /health", KEPT),
        request("GET /api/me", KEPT, "Authorization: Bearer wrong"),
        request("POST /api/prompts", KEPT, "Content-Length: 1000"),
    ],
)
async def test_idle_ones_count_whatever_they_have_asked(data_folder: Path, start: bytes) -> None:
    settings = {"anonymous_connections_per_address": 10}
    async with (
        attacked(data_folder, head_seconds=300.0, body_seconds=300.0, **settings) as platform,
        many_connections(platform, 30, start) as attackers,
    ):
        await until(lambda: still_open(attackers) == 10, 30)


async def test_known_callers_are_not_counted(
    data_folder: Path, pytestconfig: pytest.Config
) -> None:
    """Neither watchers nor requests, whose connections stay while an attack is cut off."""
    number = 2000 if pytestconfig.getoption("--long") else 100
    settings = {"anonymous_connections": 20, "anonymous_connections_per_address": 10}
    fetch = request("GET /api/sdk/prompts/none", KEPT, AUTHORIZATION)
    me = request("GET /api/me", KEPT, AUTHORIZATION)
    watch = request(
        "GET /ws?namespace=dev",
        AUTHORIZATION,
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    async with (
        attacked(data_folder, **settings) as platform,
        many_connections(platform, number, fetch) as fetching,
        many_connections(platform, number, me) as asking,
        many_connections(platform, number, watch) as watching,
        many_connections(platform, 100, b"") as attackers,
        platform.watch(namespace="dev") as watcher,
    ):
        await until(lambda: still_open(attackers) == 0, 30)
        for connections in (fetching, asking, watching):
            assert still_open(connections) == number
        created = await platform.create(env="dev")
        assert (await next_event(watcher))["key"] == created["key"]
        for connection in watching:
            await connection.read_until(created["key"].encode())
        for connection in (fetching[0], asking[0]):
            connection.received.clear()
            await connection.send(me)
            assert b"200 OK" in await connection.read_until(b"}")


async def test_a_crowd_that_comes_at_once_is_let_in(data_folder: Path) -> None:
    """Watchers that come back together have no token in the first moment."""
    settings = {"anonymous_connections": 50, "anonymous_connections_per_address": 10}
    async with attacked(data_folder, **settings) as platform:

        async def fetch() -> int:
            answer = await exchange(
                platform.port, request("GET /api/sdk/prompts/none", AUTHORIZATION)
            )
            return status(answer)

        statuses = await asyncio.gather(*(fetch() for _ in range(300)))
        assert statuses == [404] * 300


async def test_a_proxy_is_not_its_clients(data_folder: Path) -> None:
    """Their requests are counted by the address that a believed proxy names."""
    settings = {
        "trusted_proxies": "127.0.0.1",
        "anonymous_connections_per_address": 5,
        "body_seconds": 300.0,
    }

    def slow(address: str) -> bytes:
        return request("POST /api/login", f"X-Forwarded-For: {address}", "Content-Length: 100")

    async with (
        attacked(data_folder, **settings) as platform,
        many_connections(platform, 20, slow("198.51.100.1")) as one_client,
        many_connections(platform, 5, slow("198.51.100.2")) as other_client,
        many_connections(platform, 20, slow("2001:db8::1")) as network,
        many_connections(platform, 20, request("GET /health", KEPT)) as idle,
    ):
        await until(lambda: still_open(one_client) == 5 and still_open(network) == 5, 30)
        assert still_open(other_client) == 5
        assert still_open(idle) == 20


def test_as_many_files_may_be_open_as_the_system_allows() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, soft), hard))
        assert open_files.limit() == min(256, soft)
        assert open_files.raise_limit() == hard
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
