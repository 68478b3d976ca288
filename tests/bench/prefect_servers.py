"""prefect_servers: Prefect in one process, against its API servers, services and Redis apart.

Each layout has a platform, which uses the first API server, and a worker, which uses the last one,
and PostgreSQL: one server for the platform's database, one for Prefect's. The layouts are measured
one after the other, because the idle processes of the others would take a share of few cores. The
baseline is measured first and last: a machine that becomes slower changes it, too.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from statistics import mean, median

from bench.costs import postmaster, tree_seconds, worker_key
from bench.figures import Figure, Result, listed
from bench.http_load import Connection, connections, request
from bench.servers import HOST, TOKEN, Server, data_folder, running_platform
from bench.workflows import THREE_STEPS
from harness import prefect_processes
from harness.postgres import Postgres, running_postgres
from harness.prefect_processes import make_schema, one_process, split
from harness.prefect_server import PrefectServer, end
from harness.workers import spawn_worker

POOL = "bench"
BASELINE = "one process"
# The number of API servers, 0 where one process does everything.
LAYOUTS = {
    BASELINE: 0,
    "one API server, services apart": 1,
    "two API servers, services apart": 2,
}
WARMING_RUNS, RUNS_IN_A_ROW = 4, 6
# How many runs are under way at once, and how many are measured so.
WIDTHS = {8: 24, 32: 48}
TEMPLATE = "prefect_template"
# On two cores the parts share what one process has alone: they may cost that much.
RATE_TARGET, TIME_TARGET = 0.7, 1.4
# Prefect records task runs for some seconds after their run.
SETTLE_SECONDS = 3.0

missing = prefect_processes.missing


@dataclass
class Numbers:
    """One layout's, of all its turns: runs a second by width, and milliseconds and processor
    milliseconds of a run, the latter by process."""

    rates: dict[int, list[float]] = field(default_factory=lambda: {width: [] for width in WIDTHS})
    times: list[float] = field(default_factory=list)
    cpu: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class SetUp:
    """A platform whose `run` the worker executes, and the processes by their part's name."""

    platform: Server
    run: bytes
    pids: Mapping[str, int]

    def seconds(self) -> dict[str, float]:
        """Processor time that each has used so far."""
        return {name: tree_seconds(pid) for name, pid in self.pids.items()}


async def measure() -> Result:
    numbers = {name: Numbers() for name in LAYOUTS}
    with running_postgres() as registry, running_postgres() as postgres, data_folder() as folder:
        make_schema(folder, await postgres.new_database(TEMPLATE))
        for name in (*LAYOUTS, BASELINE):
            async with _set_up(LAYOUTS[name], registry, postgres) as set_up:
                await _measure_turn(set_up, numbers[name])
    raw = [line for name, own in numbers.items() for line in _raw(name, own)]
    return Result(_figures(numbers), raw)


@asynccontextmanager
async def _set_up(api_servers: int, registry: Postgres, postgres: Postgres) -> AsyncIterator[SetUp]:
    url = await postgres.new_database(template=TEMPLATE)
    async with AsyncExitStack() as stack:
        data, folder = (stack.enter_context(data_folder()) for _ in range(2))
        prefect = stack.enter_context(
            split(folder, url, api_servers) if api_servers else one_process(folder, url)
        )
        platform_url = await registry.new_database()
        first, last = prefect.servers[0], prefect.servers[-1]
        settings = {
            "PREFECT_API_URL": first.api_url,
            "PREFECT_API_AUTH_STRING": first.auth,
            "PROMPTOPS_RUNS_PER_CALLER": "64",
        }
        platform = await stack.enter_async_context(
            running_platform("up", data, platform_url, settings=settings)
        )
        worker = stack.enter_context(_worker(platform, last, await worker_key(platform)))
        pids = {
            **prefect.pids,
            "Prefect's database": postmaster(postgres),
            "platform": platform.process.pid,
            "its database": postmaster(registry),
            "worker": worker,
        }
        yield SetUp(platform, await _run_request(platform), pids)


@contextmanager
def _worker(platform: Server, prefect: PrefectServer, key: str) -> Iterator[int]:
    """The pid of a worker that may execute all of the runs at once."""
    server = f"http://{HOST}:{platform.port}"
    places = {"PROMPTOPS_WORKER_CONCURRENCY": str(max(WIDTHS))}
    worker = spawn_worker(server, key, POOL, prefect, **places)
    try:
        yield worker.process.pid
    finally:
        end(worker.process)


async def _run_request(platform: Server) -> bytes:
    fields = {"key": "greet", "steps": THREE_STEPS, "pool": POOL}
    workflow = await platform.create("/api/workflows", fields)
    body = {"variables": {"name": "Ada"}, "wait": False}
    return request("POST", f"/api/workflows/{workflow}/run", token=TOKEN, body=body)


async def _measure_turn(set_up: SetUp, numbers: Numbers) -> None:
    for width in (1, *WIDTHS):
        await _run_times(set_up, width, max(width, WARMING_RUNS))
    numbers.times += await _run_times(set_up, 1, RUNS_IN_A_ROW)
    await asyncio.sleep(SETTLE_SECONDS)
    before = set_up.seconds()
    for width, number in WIDTHS.items():
        started = time.perf_counter()
        await _run_times(set_up, width, number)
        numbers.rates[width].append(number / (time.perf_counter() - started))
    await asyncio.sleep(SETTLE_SECONDS)
    runs = sum(WIDTHS.values())
    after = set_up.seconds()
    numbers.cpu.append({name: (after[name] - before[name]) * 1000 / runs for name in before})


async def _run_times(set_up: SetUp, width: int, number: int) -> list[float]:
    """Milliseconds of each run, from its start to its end, with `width` of them under way."""
    left = iter(range(number))
    times = []

    async def one_by_one(connection: Connection) -> None:
        for _ in left:
            began = time.perf_counter()
            started = await connection.send(set_up.run)
            assert started.status == 202, started
            assert await _end_state(connection, started.json()["run_id"]) == "completed"
            times.append((time.perf_counter() - began) * 1000)

    async with connections(set_up.platform.port, width) as made:
        await asyncio.gather(*(one_by_one(connection) for connection in made))
    return times


async def _end_state(connection: Connection, run_id: str) -> str:
    """The first run of a set-up waits until its processes have started."""
    look = request("GET", f"/api/runs/{run_id}?wait=60s", token=TOKEN)
    while True:
        answer = await connection.send(look)
        assert answer.status == 200, answer
        state = str(answer.json()["data"]["state"])
        if state not in ("queued", "running"):
            return state


def _figures(numbers: Mapping[str, Numbers]) -> list[Figure]:
    one = numbers[BASELINE]
    return [
        figure
        for name, own in numbers.items()
        if name != BASELINE
        for figure in (*_rate_figures(name, own, one), _time_figure(name, own, one))
    ]


def _rate_figures(name: str, own: Numbers, one: Numbers) -> list[Figure]:
    return [
        Figure(
            f"{name}, {width} at once, runs/s to {BASELINE}",
            mean(own.rates[width]) / mean(one.rates[width]),
            "≥",
            RATE_TARGET,
        )
        for width in WIDTHS
    ]


def _time_figure(name: str, own: Numbers, one: Numbers) -> Figure:
    ratio = median(own.times) / median(one.times)
    return Figure(f"{name}, p50 of a run to {BASELINE}", ratio, "≤", TIME_TARGET)


def _raw(name: str, numbers: Numbers) -> list[str]:
    rates = [f"{width} at once {listed(own, 1)}" for width, own in numbers.rates.items()]
    parts = {part: mean(turn[part] for turn in numbers.cpu) for part in numbers.cpu[0]}
    return [
        f"{name}: runs/s {', '.join(rates)}",
        f"{name}: p50 of a run {median(numbers.times):,.0f} ms of {listed(numbers.times)}",
        f"{name}: processor ms a run "
        + ", ".join(f"{part} {milliseconds:,.0f}" for part, milliseconds in parts.items()),
    ]
