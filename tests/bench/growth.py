"""The same requests to a small registry and to a large one, in turn."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from statistics import median

from bench.figures import Figure, Result, listed, median_ratio
from bench.http_load import connections, request
from bench.servers import TOKEN, Server
from bench.stores import filled_platform

ROUNDS = 7
KINDS = ("sqlite", "postgresql")


async def grown(
    bounds: Mapping[float, Mapping[str, Sequence[str]]], sizes: Sequence[Mapping[str, int]]
) -> Result:
    """A figure for each name among `bounds` and each kind of database: what its requests take, one
    after the other, in the larger of two sizes against the smaller; at most so many times."""
    figures: list[Figure] = []
    raw: list[str] = []
    for kind in KINDS:
        async with AsyncExitStack() as stack:
            small, large = [
                await stack.enter_async_context(filled_platform(kind, **size)) for size in sizes
            ]
            for most, name, urls in _listed(bounds):
                requests = [request("GET", path, token=TOKEN) for path in urls]
                less, more = await _in_turn(small, large, requests)
                figures.append(Figure(f"{name} {kind}", median_ratio(more, less), "≤", most))
                raw.append(f"{name} {kind}: ms, small {listed(less, 1)}, large {listed(more, 1)}")
    return Result(figures, raw)


def _listed(
    bounds: Mapping[float, Mapping[str, Sequence[str]]],
) -> Iterator[tuple[float, str, Sequence[str]]]:
    for most, paths in bounds.items():
        for name, urls in paths.items():
            yield most, name, urls


async def _in_turn(
    small: Server, large: Server, requests: Sequence[bytes]
) -> tuple[list[float], list[float]]:
    """Milliseconds a request in each round but the first, which warms up."""
    taken: dict[Server, list[float]] = {small: [], large: []}
    for server in (small, large) * (ROUNDS + 1):
        taken[server].append(await _one_by_one(server.port, requests))
    return taken[small][1:], taken[large][1:]


async def _one_by_one(port: int, requests: Sequence[bytes]) -> float:
    milliseconds = []
    async with connections(port, 1) as (connection,):
        for sent in requests:
            started = time.perf_counter()
            answer = await connection.send(sent)
            milliseconds.append((time.perf_counter() - started) * 1000)
            assert answer.status == 200, answer
    return median(milliseconds)
