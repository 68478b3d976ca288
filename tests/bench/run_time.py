"""run: a workflow of three steps over the API, against a plain flow on a stock Prefect server.

The plain flow is written of functions, as Prefect's own first example is; each of its runs waits up
to a second for the end of its heartbeat. The same flow of coroutines is measured beside it. Its
times have two peaks: a run whose request a stock server refuses (its SQLite is locked) waits 2 s,
the others don't, and its p50 lies on one peak or the other, so its mean is printed too.
"""

import time
from dataclasses import dataclass, field
from statistics import mean, median

from bench.figures import Figure, Result, listed
from bench.http_load import all_at_once, connections
from bench.plain_flow_process import PlainFlow, plain_flow_process
from bench.servers import Server, data_folder, running_platform, stock_prefect
from bench.workflows import THREE_STEPS, failed, run_request, run_times

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
            plain_flow_process(server, stock) as plain_flow,
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


async def _interleaved(platform: Server, run: bytes, plain_flow: PlainFlow) -> Times:
    times = Times()
    for kind in ("async", "sync"):
        await plain_flow.one_by_one(kind, 1)
    for _ in range(ROUNDS):
        times.platform += await _one_by_one(platform, run)
        times.coroutines += await plain_flow.one_by_one("async", RUNS)
        times.functions += await plain_flow.one_by_one("sync", RUNS // 2)
    return times


async def _one_by_one(platform: Server, run: bytes) -> list[float]:
    """Milliseconds of runs, one after the other."""
    async with connections(platform.port, 1) as (connection,):
        return await run_times(connection, run, RUNS)


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
    by_name = {
        "platform": times.platform,
        "plain flow of coroutines, stock server": times.coroutines,
        "plain flow of functions, stock server": times.functions,
    }
    return [
        f"{name}: p50 {median(times_ms):,.0f}, mean {mean(times_ms):,.0f} ms of {listed(times_ms)}"
        for name, times_ms in by_name.items()
    ]


def _raw_at_once(at_once: list[tuple[list[str], float]]) -> list[str]:
    failures = [failure for failures, _ in at_once for failure in failures]
    rates = listed([rate for _, rate in at_once], 1)
    return [f"{AT_ONCE} at once: runs/s {rates}", *failures[:3]]
