"""What a fetch, watcher, publish and run cost each process: `costs.py FILE` writes processor time,
memory and bytes as JSON, from which sizes for a load can be reckoned.

The set-up is the one of docs/scaling.md on one machine: a platform and a worker, a Prefect server
of its own, and a PostgreSQL for the databases of both. Each cost is what the processes used
between two moments, divided by what was done meanwhile, less what they use when nothing is done.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / "sdk" / "python"))

from bench.delivery import Watchers, published, watch_path, watching
from bench.http_load import Connection, connections, each_once, request
from bench.open_files import allow_many_open_files
from bench.servers import (
    BIN,
    HOST,
    TOKEN,
    Server,
    data_folder,
    environment,
    resident_mb,
    running_platform,
    stock_prefect,
)
from harness.postgres import Postgres, running_postgres

POOL = "costs"
FETCHES, WARMING_FETCHES = 20_000, 1_000
WATCHERS, IDLE_SECONDS = 5_000, 40.0
PUBLISHES = 20
RUNS, WARMING_RUNS, AT_ONCE = 150, 16, 8
# Processes load modules after they start, and Prefect records the end of runs after it.
SETTLE_SECONDS = 20.0
TICKS = os.sysconf("SC_CLK_TCK")
STEPS = [
    {"name": "greet", "type": "render", "template": "Hello {{name}}"},
    {"name": "call", "type": "model", "provider": "mock", "model": "mock-slow-200ms"},
    {"name": "tidy", "type": "transform", "op": "trim"},
]


@dataclass(frozen=True)
class SetUp:
    """The processes by name, and what the databases are called."""

    platform: Server
    pids: dict[str, int]
    postgres: Postgres
    databases: dict[str, str]

    def seconds(self) -> dict[str, float]:
        """Processor time that each has used so far."""
        return {name: tree_seconds(pid) for name, pid in self.pids.items()}

    async def bytes_used(self) -> dict[str, int]:
        """The size of each database."""
        connection = await asyncpg.connect(host=str(self.postgres.folder), user="postgres")
        try:
            return {
                name: await connection.fetchval("SELECT pg_database_size($1)", database)
                for name, database in self.databases.items()
            }
        finally:
            await connection.close()


async def measure() -> dict[str, Any]:
    """All costs: seconds of processor time by process, kilobytes and bytes."""
    allow_many_open_files()
    async with _set_up() as set_up:
        await asyncio.sleep(SETTLE_SECONDS)
        idle, _ = await _spent(set_up, _nothing)
        costs = {
            "idle_share": {name: seconds / IDLE_SECONDS for name, seconds in idle.items()},
            "fetch_seconds": await _fetch(set_up, idle),
            "publish_seconds": await _publish(set_up, idle),
            **await _watchers(set_up, idle),
            **await _runs(set_up, idle),
            "process_mb": {name: resident_mb(pid) for name, pid in set_up.pids.items()},
        }
    return _rounded(costs)


@asynccontextmanager
async def _set_up() -> AsyncIterator[SetUp]:
    with running_postgres() as postgres, data_folder() as data, data_folder() as stock:
        databases = {"platform": "costs_platform", "prefect": "costs_prefect"}
        urls = {name: await postgres.new_database(called) for name, called in databases.items()}
        async with AsyncExitStack() as stack:
            prefect = await stack.enter_async_context(stock_prefect(stock, urls["prefect"]))
            settings = {"PROMPTOPS_RUNS_PER_CALLER": "64"}
            platform = await stack.enter_async_context(
                running_platform("up", data, urls["platform"], prefect, settings)
            )
            worker = stack.enter_context(_worker(platform, prefect, await worker_key(platform)))
            pids = {
                "platform": platform.process.pid,
                "worker": worker.pid,
                "prefect": prefect.process.pid,
                "postgres": postmaster(postgres),
            }
            # The engine beside the platform has nothing to do: the runs are the worker's.
            yield SetUp(platform, pids, postgres, databases)


async def worker_key(platform: Server) -> str:
    """A new API key for workers."""
    answer = await platform.ask("POST", "/api/keys", {"name": "costs", "role": "worker"})
    assert answer.status == 200, answer
    return str(answer.json()["data"]["key"])


@contextmanager
def _worker(platform: Server, prefect: Server, key: str) -> Iterator[subprocess.Popen[bytes]]:
    changes = {
        "PROMPTOPS_WORKER_KEY": key,
        "PREFECT_API_URL": f"http://{HOST}:{prefect.port}/api",
    }
    server = f"http://{HOST}:{platform.port}"
    argv = [str(BIN / "promptops"), "worker", "--server", server, "--pool", POOL]
    log = platform.log.with_name("worker.log")
    with log.open("wb") as output:
        process = subprocess.Popen(argv, env=environment(changes), stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


async def _fetch(set_up: SetUp, idle: dict[str, float]) -> dict[str, float]:
    prompt = {"key": "greeting", "env": "prod", "content": "Hello {{name}}. " * 64}
    prompt_id = await set_up.platform.create("/api/prompts", prompt)
    await set_up.platform.ask("POST", "/api/prompts/publish", {"id": prompt_id})
    fetch = request("GET", "/api/sdk/prompts/greeting", token=TOKEN)
    port = set_up.platform.port
    await each_once(port, [fetch] * WARMING_FETCHES, number=8)

    async def fetches() -> None:
        await each_once(port, [fetch] * FETCHES, number=8)

    return await _per_unit(set_up, idle, FETCHES, fetches)


async def _publish(set_up: SetUp, idle: dict[str, float]) -> dict[str, float]:
    """An edit and its publish, with no watcher."""
    prompt_id = await set_up.platform.create("/api/prompts", {"key": "edited", "env": "prod"})

    async def publishes() -> None:
        for number in range(PUBLISHES):
            await set_up.platform.ask(
                "PUT", f"/api/prompts/{prompt_id}", {"content": f"text {number}"}
            )
            await set_up.platform.ask("POST", "/api/prompts/publish", {"id": prompt_id})

    return await _per_unit(set_up, idle, PUBLISHES, publishes)


async def _watchers(set_up: SetUp, idle: dict[str, float]) -> dict[str, Any]:
    """What a watcher takes in memory and in each second, and what each event to it costs."""
    platform = set_up.platform
    prompt_id = await platform.create("/api/prompts", {"key": "watched", "env": "prod"})
    alone = await _per_unit(set_up, idle, PUBLISHES, lambda: _publishes(platform, prompt_id, None))
    before = resident_mb(platform.process.pid)
    async with watching(platform, WATCHERS, await watch_path(platform)) as watchers:
        waited, seconds = await _spent(set_up, _nothing)
        after = resident_mb(platform.process.pid)
        reached = await _per_unit(
            set_up, waited, PUBLISHES, lambda: _publishes(platform, prompt_id, watchers)
        )
    return {
        "watcher_kb": (after - before) * 1024 / WATCHERS,
        "watcher_share": (waited["platform"] - idle["platform"]) / seconds / WATCHERS,
        "event_seconds": (reached["platform"] - alone["platform"]) / WATCHERS,
    }


async def _publishes(platform: Server, prompt_id: str, watchers: Watchers | None) -> None:
    for _ in range(PUBLISHES):
        if watchers is None:
            await platform.ask("POST", "/api/prompts/publish", {"id": prompt_id})
        else:
            await published(platform, prompt_id, watchers)


async def _runs(set_up: SetUp, idle: dict[str, float]) -> dict[str, Any]:
    """A run of three steps, one of them a model's, on the worker; and what it leaves behind."""
    platform = set_up.platform
    workflow = {"key": "greet", "steps": STEPS, "pool": POOL}
    workflow_id = await platform.create("/api/workflows", workflow)
    body = {"variables": {"name": "Ada"}, "wait": False}
    run = request("POST", f"/api/workflows/{workflow_id}/run", token=TOKEN, body=body)
    await _run_all(platform, run, WARMING_RUNS)
    await asyncio.sleep(SETTLE_SECONDS)
    stored = await set_up.bytes_used()

    async def runs() -> None:
        await _run_all(platform, run, RUNS)
        await asyncio.sleep(SETTLE_SECONDS)

    seconds = await _per_unit(set_up, idle, RUNS, runs)
    kept = await set_up.bytes_used()
    return {
        "run_seconds": seconds,
        "run_bytes": {name: (kept[name] - stored[name]) / RUNS for name in kept},
    }


async def _run_all(platform: Server, run: bytes, number: int) -> None:
    """Start so many, and wait for the end of each, with AT_ONCE of them going on."""
    left = iter(range(number))

    async def one_by_one(connection: Connection) -> None:
        for _ in left:
            started = await connection.send(run)
            assert started.status == 202, started
            path = f"/api/runs/{started.json()['run_id']}?wait=60s"
            ended = await connection.send(request("GET", path, token=TOKEN))
            assert ended.json()["data"]["state"] == "completed", ended

    async with connections(platform.port, AT_ONCE) as made:
        await asyncio.gather(*(one_by_one(connection) for connection in made))


async def _nothing() -> None:
    await asyncio.sleep(IDLE_SECONDS)


async def _spent(
    set_up: SetUp, work: Callable[[], Awaitable[None]]
) -> tuple[dict[str, float], float]:
    """Processor seconds of each process during `work`, and the seconds that it took."""
    before, started = set_up.seconds(), time.monotonic()
    await work()
    took = time.monotonic() - started
    return {name: after - before[name] for name, after in set_up.seconds().items()}, took


async def _per_unit(
    set_up: SetUp, idle: dict[str, float], number: int, work: Callable[[], Awaitable[None]]
) -> dict[str, float]:
    """Processor seconds of one of `number`, less what is used when nothing is done."""
    spent, took = await _spent(set_up, work)
    return {
        name: max(0.0, seconds - idle[name] * took / IDLE_SECONDS) / number
        for name, seconds in spent.items()
    }


def postmaster(postgres: Postgres) -> int:
    """The pid of a PostgreSQL server's first process, whose children all others are."""
    return int((postgres.folder / "postmaster.pid").read_text().split()[0])


def tree_seconds(root: int) -> float:
    """Processor time of a process and its descendants, ended ones included."""
    stats = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                # After the name, which may hold blanks: state, parent, ...
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            stats[int(folder.name)] = (int(fields[1]), sum(int(one) for one in fields[11:15]))
    total, pids = 0, [root]
    while pids:
        pid = pids.pop()
        total += stats.get(pid, (0, 0))[1]
        pids += [child for child, (parent, _) in stats.items() if parent == pid]
    return total / TICKS


def _rounded(costs: Any) -> Any:
    """Two digits: the machine's noise is larger than a third."""
    if isinstance(costs, dict):
        return {name: _rounded(value) for name, value in costs.items()}
    return float(f"{costs:.2g}")


def main() -> None:
    costs = uvloop.run(measure())
    Path(sys.argv[1]).write_text(json.dumps(costs, indent=2) + "\n")


if __name__ == "__main__":
    main()
