"""run: a workflow of three steps over the API, against a plain flow on a stock Prefect server."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

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

ROUNDS = 6
RUNS = 8
PLAIN_RUNS = 3
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
    return _result(*times, at_once)


async def _interleaved(
    platform: Server, run: bytes, plain_flow: "PlainFlow"
) -> tuple[list[float], list[float]]:
    mine: list[float] = []
    theirs: list[float] = []
    await plain_flow.run(1)
    for _ in range(ROUNDS):
        mine += await _one_by_one(platform, run)
        theirs += await plain_flow.run(PLAIN_RUNS)
    return mine, theirs


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


def _result(
    mine: list[float], theirs: list[float], at_once: list[tuple[list[str], float]]
) -> Result:
    failures = [each for failures, _ in at_once for each in failures]
    figures = [
        Figure("run", median(mine) / median(theirs), "≤", 0.15),
        Figure(f"run, {AT_ONCE} at once", len(failures), "≤", 0, "failed"),
    ]
    raw = [
        f"platform: p50 {median(mine):,.0f} ms of {listed(mine)}",
        f"plain flow, stock server: p50 {median(theirs):,.0f} ms of {listed(theirs)}",
        f"{AT_ONCE} at once: runs/s {listed([rate for _, rate in at_once], 1)}",
    ]
    return Result(figures, raw + failures[:3])


class PlainFlow:
    """The process with the plain flow, asked for runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def run(self, times: int) -> list[float]:
        """Milliseconds of each run, one after the other."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{times}\n".encode())
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
