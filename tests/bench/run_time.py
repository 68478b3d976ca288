"""run: a workflow of three steps over the API, against a plain flow on a stock Prefect server.

The plain flow is written of functions, as Prefect's own first example is; each of its runs waits up
to a second for the end of its heartbeat. The same flow of coroutines is measured beside it. Its
times have two peaks: a run whose request a stock server refuses (its SQLite is locked) waits 2 s,
the others don't, and its p50 lies on one peak or the other, so its mean is printed too.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

from bench.figures import Figure, Result, listed
from bench.http_load import all_at_once, connections
from bench.servers import (
    Server,
    data_folder,
    environment,
    module,
    running_platform,
    stock_prefect,
)
from bench.workflows import THREE_STEPS, failed, run_request

ROUNDS = 5
RUNS = 8
TARGET = 0.15
AT_ONCE = 40
AT_ONCE_ROUNDS = 3


async def measure() -> Result:
    with data_folder() as data, data_folder() as stock:
        async with (
            running_platform("up", data) as platform,
            stock_prefect(stock) as server,
            _plain_flow(server, stock) as plain_flow,
        ):
            run = await run_request(platform, "greeting", THREE_STEPS)
            times = await _interleaved(platform, run, plain_flow)
        async with running_platform("up", data) as platform:
            run = await run_request(platform, "greeting-again", THREE_STEPS)
            at_once = [await _at_once(platform, run) for _ in range(AT_ONCE_ROUNDS)]
    return Result(
        [*_compared(times), _none_failed(at_once)], [*_raw(times), *_raw_at_once(at_once)]
    )


@dataclass
class Times:
    """Milliseconds of each run."""

    platform: list[float] = field(default_factory=list)
    coroutines: list[float] = field(default_factory=list)
    functions: list[float] = field(default_factory=list)


async def _interleaved(platform: Server, run: bytes, plain_flow: "PlainFlow") -> Times:
    times = Times()
    for kind in ("async", "sync"):
        await plain_flow.run(kind, 1)
    for _ in range(ROUNDS):
        times.platform += await _one_by_one(platform, run)
        times.coroutines += await plain_flow.run("async", RUNS)
        times.functions += await plain_flow.run("sync", RUNS // 2)
    return times


async def _one_by_one(platform: Server, run: bytes) -> list[float]:
    """Milliseconds of runs, one after the other."""
    times = []
    async with connections(platform.port, 1) as (connection,):
        for _ in range(RUNS):
            started = time.perf_counter()
            answer = await connection.send(run)
            times.append((time.perf_counter() - started) * 1000)
            assert answer.status == 200, answer
            assert answer.json()["output"] == "HELLO ADA"
    return times


async def _at_once(platform: Server, run: bytes) -> tuple[list[str], float]:
    """The failures of runs asked for together, and the runs a second."""
    started = time.perf_counter()
    answers = await all_at_once(platform.port, [run] * AT_ONCE)
    return failed(answers), AT_ONCE / (time.perf_counter() - started)


def _compared(times: Times) -> list[Figure]:
    return [
        Figure("run", median(times.platform) / median(times.functions), "≤", TARGET),
        Figure(
            "run, to coroutines", median(times.platform) / median(times.coroutines), "≤", TARGET
        ),
    ]


def _none_failed(at_once: list[tuple[list[str], float]]) -> Figure:
    failures = sum(len(failures) for failures, _ in at_once)
    return Figure(f"run, {AT_ONCE} at once", failures, "≤", 0, "failed")


def _raw(times: Times) -> list[str]:
    named = {
        "platform": times.platform,
        "plain flow of coroutines, stock server": times.coroutines,
        "plain flow of functions, stock server": times.functions,
    }
    return [
        f"{name}: p50 {median(each):,.0f}, mean {mean(each):,.0f} ms of {listed(each)}"
        for name, each in named.items()
    ]


def _raw_at_once(at_once: list[tuple[list[str], float]]) -> list[str]:
    failures = [each for failures, _ in at_once for each in failures]
    rates = listed([rate for _, rate in at_once], 1)
    return [f"{AT_ONCE} at once: runs/s {rates}", *failures[:3]]


class PlainFlow:
    """The process with the plain flow, asked for runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def run(self, kind: str, times: int) -> list[float]:
        """Milliseconds of each run, one after the other."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{kind} {times}\n".encode())
        seconds = json.loads(await self._process.stdout.readline())
        return [each * 1000 for each in seconds]


@asynccontextmanager
async def _plain_flow(server: Server, folder: Path) -> AsyncIterator[PlainFlow]:
    """The process against this Prefect server."""
    env = {
        "PREFECT_API_URL": f"http://127.0.0.1:{server.port}/api",
        "PREFECT_HOME": str(folder / "client"),
        "DO_NOT_TRACK": "1",
    }
    with (folder / "flow.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *module("bench.plain_flow"),
            env=environment(env),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        yield PlainFlow(process)
    finally:
        process.terminate()
        await process.wait()
