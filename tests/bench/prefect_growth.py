"""prefect_growth: Prefect's database after 2,000 runs of which a tenth is kept, against an empty
one and what the kept ones take. A tenth of the runs is executed, and what Prefect wrote for these
is copied, as Prefect takes a quarter of a second for a run."""

import asyncio
from collections.abc import Callable

from bench.figures import Figure, Result
from bench.http_load import each_once
from bench.servers import data_folder, running_platform
from bench.workflows import THREE_STEPS, run_request
from harness.prefect_history import PrefectHistory
from promptops_flows.prefect_server.shrinking import shrink

EXECUTED, COPIES = 200, 10
RUNS = EXECUTED * COPIES
KEPT = RUNS // 10
AT_ONCE = 4
MOST = 1.5
WAIT_SECONDS = 600.0
ENDED = "state_type = 'COMPLETED'"
# Prefect also writes events of its own.
OLD = "occurred < datetime('now', '-1 day')"
SETTINGS = {
    "PROMPTOPS_RUN_DAYS": "1",
    "PROMPTOPS_ENGINE_WAIT_SECONDS": "300",
    # Each hour by default.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": "5",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ORPHAN_CLEANUP_LOOP_SECONDS": "20",
}


async def measure() -> Result:
    with data_folder() as data:
        async with running_platform("up", data, settings=SETTINGS) as platform:
            history = PrefectHistory(data / "prefect" / "prefect.db")
            run = await run_request(platform, "greeting", THREE_STEPS)
            await _happens(lambda: history.is_written(1, len(THREE_STEPS)))
            empty = history.size()
            await each_once(platform.port, [run] * (EXECUTED - 1), number=AT_ONCE)
            steps = EXECUTED * len(THREE_STEPS)
            await _happens(lambda: history.is_written(EXECUTED, steps))
            await asyncio.to_thread(history.multiply, COPIES)
            full = history.size()
            await asyncio.to_thread(history.age, kept=KEPT)
            await _happens(lambda: history.rows("flow_run", ENDED) == KEPT)
            await _happens(lambda: history.rows("events", OLD) == 0)
            # The server does so every five minutes.
            await asyncio.to_thread(shrink, history.database)
            left = history.size()
    kept = (full - empty) * KEPT / RUNS
    return Result(
        [Figure(f"prefect_growth, {RUNS} runs, {KEPT} kept", left / (empty + kept), "≤", MOST)],
        [f"MB: empty {_mb(empty)}, full {_mb(full)}, after {_mb(left)}, kept runs {_mb(kept)}"],
    )


async def _happens(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not await asyncio.to_thread(look):
            await asyncio.sleep(1)


def _mb(size: float) -> str:
    return f"{size / 1e6:.1f}"
