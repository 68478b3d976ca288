"""isolation: fetches under runs, against fetches without; and a stop in the middle of runs."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.figures import Figure, Result, listed, median_ratio, percentile
from bench.http_load import Connection, all_at_once, connections, request
from bench.open_loop import Latencies, send_on_schedule
from bench.servers import TOKEN, Server, data_folder, running_platform
from bench.workflows import THREE_STEPS, failed, run_request, slow_steps

RATE = 200.0
PHASES = 5
PHASE_SECONDS = 8.0
IN_FLIGHT = 2
STOPPED_RUNS = 8
SLOW_MS = 1500
# PROMPTOPS_DRAIN_SECONDS and what children get beyond it.
STOP_SECONDS = 55.0


async def measure() -> Result:
    with data_folder() as data:
        async with running_platform("up", data) as platform:
            latencies = await _latencies(platform)
        async with running_platform("up", data) as platform:
            stop = await _stop(platform)
    return Result([*latencies.figures, *stop.figures], latencies.raw + stop.raw)


async def _latencies(platform: Server) -> Result:
    await platform.create("/api/prompts", {"key": "greeting", "env": "prod", "content": "x" * 2000})
    fetch = request("GET", "/api/sdk/prompts/greeting", token=TOKEN)
    run = await run_request(platform, "greeting", THREE_STEPS)
    without: list[Latencies] = []
    under: list[Latencies] = []
    completed = 0
    for _ in range(PHASES):
        without.append(await _phase(platform, fetch))
        async with _runs_in_flight(platform, run) as runs:
            under.append(await _phase(platform, fetch))
        completed += len(runs)
    figure = Figure("isolation", median_ratio(_p99s(under), _p99s(without)), "≤", 5)
    seconds = PHASES * PHASE_SECONDS
    raw = [
        _raw("without runs", without),
        _raw("two runs in flight", under),
        f"{completed} runs in {seconds:.0f} s, {completed / seconds:.1f} runs/s",
    ]
    return Result([figure], raw)


async def _phase(platform: Server, fetch: bytes) -> Latencies:
    return await send_on_schedule(platform.port, [fetch], rate=RATE, seconds=PHASE_SECONDS)


@asynccontextmanager
async def _runs_in_flight(platform: Server, run: bytes) -> AsyncIterator[list[float]]:
    """Two runs at any time until the block ends; the list holds when each of them was over."""
    over: list[float] = []
    ended = asyncio.Event()
    async with connections(platform.port, IN_FLIGHT) as made:
        runs = [
            asyncio.create_task(_again_and_again(connection, run, over, ended))
            for connection in made
        ]
        try:
            yield over
        finally:
            ended.set()
            await asyncio.gather(*runs)


async def _again_and_again(
    connection: Connection, run: bytes, over: list[float], ended: asyncio.Event
) -> None:
    while not ended.is_set():
        answer = await connection.send(run)
        assert answer.status == 200, answer
        over.append(time.perf_counter())


async def _stop(platform: Server) -> Result:
    """SIGTERM while all runs wait for their model."""
    run = await run_request(platform, "slow", slow_steps(SLOW_MS))
    asked = asyncio.create_task(all_at_once(platform.port, [run] * STOPPED_RUNS))
    await asyncio.sleep(SLOW_MS / 3000)
    assert not asked.done()
    started = time.perf_counter()
    platform.process.terminate()
    code: float = -1
    with contextlib.suppress(TimeoutError):
        code = await asyncio.to_thread(platform.process.wait, STOP_SECONDS)
    seconds = time.perf_counter() - started
    failures = failed(await asked)
    figures = [
        Figure(f"SIGTERM during {STOPPED_RUNS} runs", len(failures), "≤", 0, "failed"),
        Figure("exit code after SIGTERM", abs(code), "≤", 0, ""),
        Figure("stop after SIGTERM", seconds, "≤", STOP_SECONDS, "s"),
    ]
    return Result(figures, failures[:3])


def _p99s(phases: list[Latencies]) -> list[float]:
    return [percentile(phase.answered, 0.99) for phase in phases]


def _raw(name: str, phases: list[Latencies]) -> str:
    pooled = [phase for phase in phases for phase in phase.answered]
    served = [phase for phase in phases for phase in phase.served]
    late = [phase for phase in phases for phase in phase.late]
    shares = [percentile(pooled, share) for share in (0.5, 0.95, 0.99, 0.999, 1)]
    return (
        f"{name}: p99 by phase {listed(_p99s(phases), 1)} ms; "
        f"p50 p95 p99 p99.9 max of all {listed(shares, 1)} ms; "
        f"p99 from the actual sending {percentile(served, 0.99):.1f} ms, "
        f"sent late {percentile(late, 0.99):.1f} ms"
    )
