"""Real workers: processes that execute the runs of a work pool."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.callers import new_api_key
from harness.platform import RunningPlatform, new_key, until_found
from harness.prefect_server import PrefectServer, end
from promptops_flows.processes.children import worker_environment

READY_SECONDS = 60.0


@dataclass(frozen=True)
class WorkerProcess:
    """`log` is the file with its output."""

    name: str
    pool: str
    process: subprocess.Popen[bytes]
    log: Path

    def events(self) -> list[str]:
        """Its log entries, by name."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line)["event"] for line in lines if line.startswith("{")]


def new_pool() -> str:
    """A pool that no other test uses."""
    return new_key()[:40]


async def worker_key(platform: RunningPlatform) -> str:
    key: str = (await new_api_key(platform, role="worker"))["key"]
    return key


def spawn_worker(
    server: str, key: str, pool: str, prefect: PrefectServer | None = None, **settings: str
) -> WorkerProcess:
    """A worker of the pool; without `prefect` the platform sends Prefect's address."""
    folder = Path(tempfile.mkdtemp(prefix="worker-"))
    name = f"worker-{folder.name[-8:]}"
    environment = dict(os.environ)
    if prefect is not None:
        environment |= {
            "PREFECT_API_URL": prefect.api_url,
            "PREFECT_API_AUTH_STRING": prefect.auth,
        }
    own = {
        "PROMPTOPS_SERVER": server,
        "PROMPTOPS_WORKER_KEY": key,
        "PROMPTOPS_WORKER_POOL": pool,
        "PROMPTOPS_WORKER_NAME": name,
        "PROMPTOPS_ENV": "development",
        "PROMPTOPS_PARENT_PIPE": "1",
        "PREFECT_HOME": str(folder),
        **settings,
    }
    argv, env = worker_environment(environment, own)
    log = folder / "worker.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv,
            env=env,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return WorkerProcess(name, pool, process, log)


@asynccontextmanager
async def running_worker(
    platform: RunningPlatform,
    pool: str,
    prefect: PrefectServer | None,
    *,
    key: str | None = None,
    **settings: str,
) -> AsyncIterator[WorkerProcess]:
    """A worker that accepts runs, until the block ends."""
    key = key or await worker_key(platform)
    server = f"http://127.0.0.1:{platform.port}"
    worker = await asyncio.to_thread(spawn_worker, server, key, pool, prefect, **settings)
    try:
        await logged(worker, "worker.ready")
        yield worker
    finally:
        await asyncio.to_thread(end, worker.process)


async def logged(worker: WorkerProcess, event: str) -> None:
    """Wait until the worker has logged that."""

    async def look() -> list[str]:
        code = worker.process.poll()
        assert code is None or event in worker.events(), worker.log.read_text()
        return [name for name in worker.events() if name == event]

    await until_found(look, READY_SECONDS)


async def workers(platform: RunningPlatform, pool: str) -> list[dict[str, Any]]:
    """The platform's list of workers in that pool."""
    answer = await platform.http.get("/api/workers")
    assert answer.status_code == 200, answer.text
    return [worker for worker in answer.json()["data"] if worker["pool"] == pool]


async def exit_code(worker: WorkerProcess, within: float = READY_SECONDS) -> int:
    return await asyncio.to_thread(worker.process.wait, within)


def press_retry(server: PrefectServer, *flow_run_ids: str) -> None:
    """The same request as from Prefect's interface."""
    state = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}
    with server.client() as client:
        for flow_run_id in flow_run_ids:
            url = f"flow_runs/{flow_run_id}/set_state"
            client.post(url, json={"state": state, "force": True}).raise_for_status()


def set_pool_limit(server: PrefectServer, pool: str, limit: int | None) -> None:
    """The maximum of concurrent flow runs in the pool."""
    _change_pool(server, pool, concurrency_limit=limit)


@contextmanager
def set_paused(server: PrefectServer, pool: str) -> Iterator[None]:
    """Inside, Prefect offers no flow runs of the pool."""
    _change_pool(server, pool, is_paused=True)
    yield
    _change_pool(server, pool, is_paused=False)


def _change_pool(server: PrefectServer, pool: str, **fields: Any) -> None:
    with server.client() as client:
        client.patch(f"work_pools/{pool}", json=fields).raise_for_status()


def children_of(pid: int) -> set[int]:
    """The child processes that are alive."""
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    return {int(child) for file in listed for child in file.read_text().split()}


def reasons(worker: WorkerProcess) -> list[str]:
    """The logged reason why the platform has refused it."""
    lines = [line for line in worker.log.read_text().splitlines() if line.startswith("{")]
    entries = [json.loads(line) for line in lines]
    return [entry["reason"] for entry in entries if entry["event"] == "worker.refused"]
