"""The processes under load: platforms, the FastAPI baseline, a stock Prefect server."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.http_load import HOST, Answer, ask, request

TOKEN = "bench-token"
BIN = Path(sys.executable).parent
TESTS = Path(__file__).parent.parent
READY_SECONDS = 60.0
END_SECONDS = 90.0
POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Server:
    """A process that answers on `port`; `log` is the file of its output."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    async def ask(self, method: str, path: str, body: Any = None) -> Answer:
        return await ask(self.port, request(method, path, token=TOKEN, body=body))

    async def create(self, path: str, body: dict[str, Any]) -> str:
        """Create a resource; its id."""
        answer = await self.ask("POST", path, body)
        assert answer.status == 200, answer
        return str(answer.json()["data"]["id"])

    async def answers(self, path: str, *expected: int) -> None:
        """Return at the first answer with one of these statuses."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended:\n{self.log.read_text()[-2000:]}")
            try:
                if (await self.ask("GET", path)).status in expected:
                    return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise RuntimeError(f"no answer:\n{self.log.read_text()[-2000:]}")
            await asyncio.sleep(POLL_SECONDS)

    def children(self) -> dict[str, int]:
        """Pids of the platform's children by name, as its log tells them."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line[:1] == "{"]
        return {
            line["child"]: line["pid"] for line in lines if line.get("event") == "child_started"
        }


@contextmanager
def data_folder() -> Iterator[Path]:
    """A folder with a path short enough for a Unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def platform(
    command: str,
    data: Path,
    database_url: str | None = None,
    prefect: Server | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """`promptops up` or `promptops serve`, just started; its runs go to `prefect` where that is
    given, else to a Prefect server of its own. `settings` are further variables."""
    port = free_port()
    env = {
        "PROMPTOPS_ADDR": f"{HOST}:{port}",
        "PROMPTOPS_DATA": str(data),
        "PROMPTOPS_TOKEN": TOKEN,
        "PROMPTOPS_PREFECT_PORT": str(free_port()),
        "PROMPTOPS_LOG_FORMAT": "json",
        # One caller asks for all that many would.
        "PROMPTOPS_RUNS_PER_CALLER": "16",
        **(settings or {}),
    }
    if database_url is not None:
        env["PROMPTOPS_DATABASE_URL"] = database_url
    if prefect is not None:
        env["PREFECT_API_URL"] = f"http://{HOST}:{prefect.port}/api"
    with _spawned([str(BIN / "promptops"), command], env, port, data / "bench.log") as server:
        yield server


@asynccontextmanager
async def running_platform(
    command: str,
    data: Path,
    database_url: str | None = None,
    prefect: Server | None = None,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[Server]:
    """The same, once it answers."""
    with platform(command, data, database_url, prefect, settings) as server:
        await server.answers("/health", 200)
        yield server


@asynccontextmanager
async def fastapi_route(folder: Path) -> AsyncIterator[Server]:
    """The baseline of the fetch, once it answers."""
    port = free_port()
    argv = module("bench.fastapi_route")
    with _spawned(argv, {"BENCH_PORT": str(port)}, port, folder / "fastapi.log") as server:
        await server.answers("/health", 200)
        yield server


@asynccontextmanager
async def model_vendor(folder: Path) -> AsyncIterator[Server]:
    """A vendor of models that answers at once."""
    port = free_port()
    argv = module("bench.model_vendor")
    with _spawned(argv, {"BENCH_PORT": str(port)}, port, folder / "vendor.log") as server:
        await server.answers("/", 200)
        yield server


@asynccontextmanager
async def model_route(folder: Path, vendor: int) -> AsyncIterator[Server]:
    """The baseline of the gateway, once it answers; it asks the vendor on that port."""
    port = free_port()
    env = {"BENCH_PORT": str(port), "BENCH_VENDOR": f"http://{HOST}:{vendor}"}
    with _spawned(module("bench.model_route"), env, port, folder / "route.log") as server:
        await server.answers("/health", 200)
        yield server


@asynccontextmanager
async def broadcast_server(folder: Path) -> AsyncIterator[Server]:
    """The baseline of the delivery, once it listens."""
    port = free_port()
    argv = module("bench.broadcast")
    with _spawned(argv, {"BENCH_PORT": str(port)}, port, folder / "broadcast.log") as server:
        # To plain HTTP it says that it wants an upgrade.
        await server.answers("/", 426)
        yield server


@asynccontextmanager
async def stock_prefect(folder: Path, postgres_url: str | None = None) -> AsyncIterator[Server]:
    """`prefect server start` as it comes, on SQLite or on that PostgreSQL database, but without
    telemetry: nothing leaves the machine."""
    port = free_port()
    env = {
        "PREFECT_HOME": str(folder / "server"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    if postgres_url is not None:
        url = postgres_url.replace("postgresql://", "postgresql+asyncpg://")
        env["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = url
    argv = [str(BIN / "prefect"), "server", "start", "--host", HOST, "--port", str(port)]
    with _spawned(argv, env, port, folder / "prefect.log") as server:
        await server.answers("/api/health", 200)
        yield server


def module(name: str) -> list[str]:
    """How to run a module of these benchmarks; `environment` lets it be found."""
    return [sys.executable, "-P", "-m", name]


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without settings of a platform or of Prefect."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PROMPTOPS_", "PREFECT_"))
    }
    path = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
    return {**kept, "PYTHONPATH": path, **changes}


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def resident_mb(pid: int) -> float:
    """Resident memory of a process, as Linux tells it."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


@contextmanager
def _spawned(argv: list[str], env: Mapping[str, str], port: int, log: Path) -> Iterator[Server]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv, env=environment(env), stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield Server(port, process, log)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
