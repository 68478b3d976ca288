"""mixed: reads of 32 clients at once in a large registry, with a login each second among them."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import cycle
from random import Random

from bench.figures import Figure, Result, percentile
from bench.growth import KINDS
from bench.http_load import Connection, connections, request
from bench.servers import TOKEN, Server, resident_mb
from bench.stores import CATEGORIES, RARE_WORDS, TAGS, filled_platform

PROMPTS = 100_000
ENTRIES = 10_000
CLIENTS = 32
SECONDS = 20.0
MOST_TIMES_MEDIAN = 5
MOST_MB = 250
LOGIN = {"username": "admin", "password": "admin"}


async def measure() -> Result:
    figures: list[Figure] = []
    raw: list[str] = []
    for kind in KINDS:
        async with AsyncExitStack() as stack:
            platform = await stack.enter_async_context(
                filled_platform(kind, prompts=PROMPTS, entries=ENTRIES)
            )
            await platform.answers("/health", 200)
            result = await _under_load(kind, platform)
            figures += result.figures
            raw += result.raw
    return Result(figures, raw)


async def _under_load(kind: str, platform: Server) -> Result:
    started = resident_mb(platform.process.pid)
    end = time.perf_counter() + SECONDS
    reads: list[tuple[float, int]] = []
    logins: list[tuple[float, int]] = []
    async with connections(platform.port, CLIENTS) as made, asyncio.TaskGroup() as group:
        group.create_task(_login_each_second(platform, logins, end))
        memory = group.create_task(_most_memory(platform, end))
        for number, connection in enumerate(made):
            group.create_task(_read(connection, _reads(number), reads, end))
    times = [milliseconds for milliseconds, _ in reads]
    middle, slow = percentile(times, 0.5), percentile(times, 0.99)
    errors = sum(status != 200 for _, status in [*reads, *logins])
    figures = [
        Figure(f"mixed {kind}, p99 to p50", slow / middle, "≤", MOST_TIMES_MEDIAN),
        Figure(f"mixed {kind}, errors", errors, "≤", 0, ""),
        Figure(f"mixed {kind}, memory", memory.result(), "≤", MOST_MB, "MB"),
    ]
    slowest = percentile([milliseconds for milliseconds, _ in logins], 0.99)
    line = (
        f"mixed {kind}: {len(reads) / SECONDS:,.0f} reads/s, p50 {middle:.1f} ms, "
        f"p99 {slow:.1f} ms; {len(logins)} logins, slowest {slowest:.0f} ms; "
        f"{started:.0f} MB before"
    )
    return Result(figures, [line, *_what_went_wrong(platform, errors)])


def _what_went_wrong(platform: Server, errors: int) -> list[str]:
    if not errors:
        return []
    code = platform.process.poll()
    last = platform.log.read_text().splitlines()[-5:]
    return [f"the platform ended with {code}" if code is not None else "the platform runs", *last]


def _reads(seed: int) -> list[bytes]:
    """What one client asks for, in an order of its own."""
    chance = Random(seed)
    paths = [
        "/api/prompts?limit=50",
        f"/api/prompts?limit=50&offset={50 * seed}",
        f"/api/prompts?limit=50&category={chance.choice(CATEGORIES)}&env=prod",
        f"/api/prompts?limit=50&tag={chance.choice(TAGS)}",
        *(f"/api/prompts?limit=50&q={word}" for word in chance.sample(RARE_WORDS, 2)),
        *(f"/api/sdk/prompts/key-{3 * chance.randrange(30_000) + 2}" for _ in range(4)),
        "/api/audit?limit=50",
        f"/api/audit?limit=50&actor=user{seed}",
    ]
    chance.shuffle(paths)
    return [request("GET", path, token=TOKEN) for path in paths]


async def _read(
    connection: Connection, requests: Sequence[bytes], done: list[tuple[float, int]], end: float
) -> None:
    for sent in cycle(requests):
        if time.perf_counter() >= end:
            return
        milliseconds, status = await _timed(connection, sent)
        done.append((milliseconds, status))
        if not status:
            return


async def _login_each_second(platform: Server, done: list[tuple[float, int]], end: float) -> None:
    """Whether or not the one before is answered."""
    async with asyncio.TaskGroup() as group:
        while time.perf_counter() < end:
            group.create_task(_login(platform, done))
            await asyncio.sleep(1)


async def _login(platform: Server, done: list[tuple[float, int]]) -> None:
    login = request("POST", "/api/login", token="", body=LOGIN)
    async with connections(platform.port, 1) as (connection,):
        done.append(await _timed(connection, login))


async def _timed(connection: Connection, sent: bytes) -> tuple[float, int]:
    """Milliseconds and the status, 0 for a connection that was lost."""
    started = time.perf_counter()
    status = 0
    with contextlib.suppress(OSError):
        status = (await connection.send(sent)).status
    return (time.perf_counter() - started) * 1000, status


async def _most_memory(platform: Server, end: float) -> float:
    most = 0.0
    while time.perf_counter() < end:
        if platform.process.poll() is None:
            most = max(most, resident_mb(platform.process.pid))
        await asyncio.sleep(0.1)
    return most
