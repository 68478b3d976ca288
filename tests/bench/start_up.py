"""start: from `promptops up` to the first answered fetch, on a new data folder and a used one."""

import time
from pathlib import Path
from statistics import median

from bench.figures import Figure, Result, listed
from bench.servers import data_folder, platform
from bench.workflows import THREE_STEPS, run_request

REPEATS = 3
FETCH = "/api/sdk/prompts/greeting"


async def measure() -> Result:
    first: list[float] = []
    warm: list[float] = []
    run: list[float] = []
    for _ in range(REPEATS):
        with data_folder() as data:
            first.append(await _first(data))
            seconds, until_run = await _warm(data)
            warm.append(seconds)
            run.append(until_run)
    figures = [
        Figure("first start", median(first), "≤", 8, "s"),
        Figure("warm start", median(warm), "≤", 3, "s"),
    ]
    raw = [
        f"first: {listed(first, 2)} s",
        f"warm: {listed(warm, 2)} s",
        f"warm, to the end of the first run: {listed(run, 2)} s",
    ]
    return Result(figures, raw)


async def _first(data: Path) -> float:
    """A fetch finds nothing yet; its answer says so."""
    started = time.perf_counter()
    with platform("up", data) as server:
        await server.answers(FETCH, 404)
        seconds = time.perf_counter() - started
        await server.create("/api/prompts", {"key": "greeting", "env": "prod", "content": "Hello"})
        await run_request(server, "first", THREE_STEPS)
    return seconds


async def _warm(data: Path) -> tuple[float, float]:
    started = time.perf_counter()
    with platform("up", data) as server:
        await server.answers(FETCH, 200)
        seconds = time.perf_counter() - started
        await run_request(server, "warm", THREE_STEPS)
        return seconds, time.perf_counter() - started
