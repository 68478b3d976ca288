"""schedule_latency: from the time that a schedule is for to the first step of its run, beside the
process worker of a stock Prefect server; and what 500 schedules add to a start."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.figures import Figure, Result, listed, percentile
from bench.ready_platform import data_at, ready, start_seconds
from bench.servers import BIN, Server, data_folder, environment, platform, stock_prefect
from bench.workflows import THREE_STEPS

TIMES, STOCK_TIMES = 20, 5
TARGET_SECONDS = 1.5
STOCK_SHARE = 0.2
# So many schedules, each with this interval, which begin one after the other.
AT_ONCE, INTERVAL_SECONDS, STOCK_INTERVAL_SECONDS = 4, 8, 20
SCHEDULES = 500
STARTS = 3
START_TARGET = 1.3
CHECK_SECONDS = 1.0


async def measure() -> Result:
    with data_folder() as data, data_folder() as bare, data_folder() as stock:
        with platform("up", data) as server:
            seconds = await _latencies(server)
            await _many_schedules(server)
        with platform("up", bare) as server:
            await ready(server)
            await server.create("/api/prompts", {"key": "greeting", "env": "prod"})
        stock_seconds = await _stock_latencies(stock)
        with_schedules, without = [], []
        for _ in range(STARTS):
            with_schedules.append(await start_seconds(data))
            without.append(await start_seconds(bare))
    p95, stock_p95 = percentile(seconds, 0.95), percentile(stock_seconds, 0.95)
    figures = [
        Figure("scheduled time to first step, p95", p95, "≤", TARGET_SECONDS, "s"),
        Figure("the same, to the stock process worker's", p95 / stock_p95, "≤", STOCK_SHARE),
        Figure(
            f"start with {SCHEDULES} schedules, to none",
            median(with_schedules) / median(without),
            "≤",
            START_TARGET,
        ),
    ]
    raw = [
        f"scheduled time to first step: p50 {median(seconds):.2f} s of {listed(seconds, 2)}",
        f"stock process worker: p50 {median(stock_seconds):.2f} s of {listed(stock_seconds, 2)}",
        f"start with {SCHEDULES} schedules: {listed(with_schedules, 2)} s",
        f"start without: {listed(without, 2)} s",
    ]
    return Result(figures, raw)


async def _latencies(server: Server) -> list[float]:
    await ready(server)
    await server.create("/api/prompts", {"key": "greeting", "env": "prod"})
    workflow = await server.create("/api/workflows", {"key": "announce", "steps": THREE_STEPS})
    answer = await server.ask("POST", f"/api/workflows/{workflow}/publish", {})
    assert answer.status == 200, answer
    schedules = []
    for number in range(AT_ONCE):
        fields = {"interval_seconds": INTERVAL_SECONDS, "version": 1, "variables": {"name": "Ada"}}
        body = {"key": f"often-{number}", "workflow": "announce", **fields}
        schedules.append(await server.create("/api/schedules", body))
        await asyncio.sleep(INTERVAL_SECONDS / AT_ONCE)
    runs: dict[str, float] = {}
    while len(runs) < TIMES:
        await asyncio.sleep(CHECK_SECONDS)
        for schedule in schedules:
            for started in (await data_at(server, f"/api/schedules/{schedule}"))["last_runs"]:
                if started["state"] == "completed" and started["id"] not in runs:
                    runs[started["id"]] = await _latency(server, started)
    for schedule in schedules:
        await server.ask("DELETE", f"/api/schedules/{schedule}")
    return list(runs.values())


async def _latency(server: Server, started: dict[str, Any]) -> float:
    run = await data_at(server, f"/api/runs/{started['id']}")
    began = datetime.fromisoformat(run["steps"][0]["start"])
    return (began - datetime.fromisoformat(started["scheduled_at"])).total_seconds()


async def _many_schedules(server: Server) -> None:
    for number in range(SCHEDULES):
        body = {"key": f"daily-{number}", "workflow": "announce", "version": 1}
        fields = {"cron": f"{number % 60} 3 * * *", "variables": {"name": "Ada"}}
        await server.create("/api/schedules", body | fields)


async def _stock_latencies(folder: Path) -> list[float]:
    """Without the first one, which also reads the worker's files from the disk."""
    async with stock_prefect(folder) as server:
        await _created(server, "/api/work_pools/", {"name": "bench", "type": "process"})
        flow_id = await _created(server, "/api/flows/", {"name": "greeting"})
        interval = {"interval": STOCK_INTERVAL_SECONDS}
        deployment = {
            "name": "often",
            "flow_id": flow_id,
            "work_pool_name": "bench",
            "entrypoint": "plain_flow.py:greeting",
            "path": str(Path(__file__).parent),
            "parameters": {"name": "Ada"},
            "schedules": [{"schedule": interval, "active": True}],
        }
        await _created(server, "/api/deployments/", deployment)
        with _process_worker(server, folder):
            seconds: list[float] = []
            while len(seconds) < STOCK_TIMES + 1:
                await asyncio.sleep(CHECK_SECONDS)
                seconds = await _stock_starts(server)
        return seconds[1:]


async def _stock_starts(server: Server) -> list[float]:
    """Of each ended flow run, from its time to the start of its first task, in order."""
    ended = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    sort = {"sort": "EXPECTED_START_TIME_ASC"}
    flow_runs = (await server.ask("POST", "/api/flow_runs/filter", ended | sort)).json()
    task_runs = (await server.ask("POST", "/api/task_runs/filter", ended)).json()
    starts: dict[str, str] = {}
    for task_run in task_runs:
        if task_run["start_time"]:
            own = starts.get(task_run["flow_run_id"], task_run["start_time"])
            starts[task_run["flow_run_id"]] = min(own, task_run["start_time"])
    return [
        (
            datetime.fromisoformat(starts[flow_run["id"]])
            - datetime.fromisoformat(flow_run["expected_start_time"])
        ).total_seconds()
        for flow_run in flow_runs
        if flow_run["id"] in starts
    ]


async def _created(server: Server, path: str, body: dict[str, Any]) -> str:
    answer = await server.ask("POST", path, body)
    assert answer.status in (200, 201), answer
    return str(answer.json()["id"])


@contextmanager
def _process_worker(server: Server, folder: Path) -> Iterator[None]:
    env = {
        "PREFECT_API_URL": f"http://127.0.0.1:{server.port}/api",
        "PREFECT_HOME": str(folder / "worker"),
        "DO_NOT_TRACK": "1",
    }
    argv = [str(BIN / "prefect"), "worker", "start", "--pool", "bench", "--type", "process"]
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(argv, env=environment(env), stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait()
