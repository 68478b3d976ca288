"""fan_out: ten parallel steps over the API, against their slowest step and a run of one step."""

from statistics import median
from typing import Any

from bench.figures import Figure, Result, listed
from bench.http_load import connections
from bench.servers import Server, data_folder, running_platform
from bench.workflows import run_request, run_times

ROUNDS = 5
RUNS = 4
STEPS = 10
SLOW_MS = 400
MOST = 1.5


async def measure() -> Result:
    with data_folder() as data:
        async with running_platform("up", data) as platform:
            fan_out = await run_request(platform, "fan-out", _parallel_steps())
            one_step = await run_request(platform, "one-step", [_render("only")])
            wide: list[float] = []
            small: list[float] = []
            for _ in range(ROUNDS):
                wide += await _times(platform, fan_out)
                small += await _times(platform, one_step)
    bound = MOST * SLOW_MS + median(small)
    figures = [Figure(f"fan_out, {STEPS} steps", median(wide) / bound, "≤", 1)]
    return Result(
        figures,
        [
            f"{STEPS} steps of {SLOW_MS} ms at once: p50 {median(wide):,.0f} ms of {listed(wide)}",
            f"one step: p50 {median(small):,.0f} ms of {listed(small)}",
            f"bound: {MOST} x {SLOW_MS} ms + one step = {bound:,.0f} ms",
        ],
    )


def _render(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "type": "render", "template": name, **fields}


def _parallel_steps() -> list[dict[str, Any]]:
    """The slowest one is a model of that many milliseconds, as are all others."""
    model = {"type": "model", "provider": "mock", "model": f"mock-slow-{SLOW_MS}ms", "needs": []}
    steps = [{"name": f"s{at}", **model} for at in range(STEPS)]
    return [*steps, _render("join", needs=[step["name"] for step in steps])]


async def _times(platform: Server, run: bytes) -> list[float]:
    async with connections(platform.port, 1) as (connection,):
        return await run_times(connection, run, RUNS)
