"""run_postgres: a workflow of three steps over the API, against a plain flow of coroutines on a
stock Prefect server whose database is PostgreSQL.

Our runs are measured on two set-ups: the embedded one (SQLite and a Prefect server of its own) and
one that uses that very stock server. All three take turns run by run, so that the load of the
machine falls on each alike.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import mean, median

from bench.figures import Figure, Result, listed, median_ratio
from bench.http_load import Connection, connections
from bench.plain_flow_process import PlainFlow, plain_flow_process
from bench.servers import Server, data_folder, running_platform, stock_prefect
from bench.workflows import THREE_STEPS, run_request
from harness.postgres import running_postgres

ROUNDS = 40
WIDTH = 8
IN_A_ROW = 2
WIDE_ROUNDS = 4
EMBEDDED_TARGET = 0.75
SAME_SERVER_TARGET = 1.0
AT_ONCE_TARGET = 1.3


async def measure() -> Result:
    async with _contestants() as contestants:
        times = await _one_by_one(contestants)
        rates = await _at_once(contestants)
    plain = median(times.plain)
    return Result(
        [
            Figure(
                "run_postgres, embedded set-up",
                median(times.embedded) / plain,
                "≤",
                EMBEDDED_TARGET,
            ),
            Figure(
                "run_postgres, same server",
                median(times.same_server) / plain,
                "≤",
                SAME_SERVER_TARGET,
            ),
            Figure(
                f"run_postgres, {WIDTH} at once",
                median_ratio(rates.embedded, rates.plain),
                "≥",
                AT_ONCE_TARGET,
            ),
        ],
        [*_listed_times(times), *_listed_rates(rates)],
    )


@dataclass
class Numbers:
    """One number a round for each side."""

    plain: list[float] = field(default_factory=list)
    embedded: list[float] = field(default_factory=list)
    same_server: list[float] = field(default_factory=list)

    def by_name(self) -> dict[str, list[float]]:
        return {
            "plain flow": self.plain,
            "platform, embedded set-up": self.embedded,
            "platform, same server": self.same_server,
        }


@dataclass(frozen=True)
class Platform:
    """A platform and the request that runs its workflow."""

    server: Server
    run: bytes


@dataclass(frozen=True)
class Contestants:
    """The three sides, each of which has run once."""

    plain: PlainFlow
    embedded: Platform
    same_server: Platform


@asynccontextmanager
async def _contestants() -> AsyncIterator[Contestants]:
    with (
        running_postgres() as postgres,
        data_folder() as embedded_data,
        data_folder() as data,
        data_folder() as stock,
    ):
        async with (
            stock_prefect(stock, await postgres.new_database()) as prefect,
            running_platform("up", embedded_data) as embedded,
            running_platform("up", data, prefect=prefect) as same_server,
            plain_flow_process(prefect, stock) as plain_flow,
        ):
            contestants = Contestants(
                plain_flow,
                Platform(embedded, await run_request(embedded, "greeting", THREE_STEPS)),
                Platform(same_server, await run_request(same_server, "greeting", THREE_STEPS)),
            )
            await plain_flow.one_by_one("async", 1)
            yield contestants


async def _one_by_one(contestants: Contestants) -> Numbers:
    """Milliseconds of each run."""
    times = Numbers()
    embedded, same_server = contestants.embedded, contestants.same_server
    async with (
        connections(embedded.server.port, 1) as (to_embedded,),
        connections(same_server.server.port, 1) as (to_same_server,),
    ):
        for _ in range(ROUNDS):
            times.plain += await contestants.plain.one_by_one("async", 1)
            times.embedded.append(await _timed(to_embedded, embedded.run))
            times.same_server.append(await _timed(to_same_server, same_server.run))
    return times


async def _at_once(contestants: Contestants) -> Numbers:
    """Runs a second."""
    rates = Numbers()
    for _ in range(WIDE_ROUNDS):
        rates.plain.append(await contestants.plain.at_once(WIDTH, IN_A_ROW))
        rates.embedded.append(await _rate(contestants.embedded))
        rates.same_server.append(await _rate(contestants.same_server))
    return rates


async def _rate(platform: Platform) -> float:
    async with connections(platform.server.port, WIDTH) as made:
        started = time.perf_counter()
        await asyncio.gather(*(_in_a_row(connection, platform.run) for connection in made))
        return WIDTH * IN_A_ROW / (time.perf_counter() - started)


async def _in_a_row(connection: Connection, run: bytes) -> None:
    for _ in range(IN_A_ROW):
        await _timed(connection, run)


async def _timed(connection: Connection, run: bytes) -> float:
    """Milliseconds of a run."""
    started = time.perf_counter()
    answer = await connection.send(run)
    milliseconds = (time.perf_counter() - started) * 1000
    assert answer.status == 200, answer
    assert answer.json()["output"] == "HELLO ADA"
    return milliseconds


def _listed_times(times: Numbers) -> list[str]:
    return [
        f"{name}: p50 {median(times_ms):,.0f}, mean {mean(times_ms):,.0f} ms of {listed(times_ms)}"
        for name, times_ms in times.by_name().items()
    ]


def _listed_rates(rates: Numbers) -> list[str]:
    return [
        f"{name}, {WIDTH} at once: runs/s {listed(runs_per_second, 1)}"
        for name, runs_per_second in rates.by_name().items()
    ]
