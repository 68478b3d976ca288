"""Prefect as docker-compose.yml's profile `scaled` starts it: API servers, its services apart, and
Redis for the messages between them; or all of it in one process, without Redis."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import yaml

from harness.ports import free_port
from harness.prefect_server import PrefectServer, end, wait_until_healthy
from harness.processes import eventually

COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"
PREFECT = str(Path(sys.executable).with_name("prefect"))
HOST = "127.0.0.1"
AUTH = "prefect:test-password"
# Of the profile's settings: those of Redis, which one process alone does without.
_OF_REDIS = ("MESSAGING", "CAUSAL_ORDERING", "LEASE_STORAGE", "DOCKET_URL")


@dataclass(frozen=True)
class PrefectProcesses:
    """`servers` are the API servers; `pids` has every process by the name of its part."""

    servers: Sequence[PrefectServer]
    pids: Mapping[str, int]


def missing() -> str | None:
    """Why several processes of Prefect can't run here."""
    if shutil.which("redis-server") is None:
        return "redis-server is not installed"
    if find_spec("prefect_redis") is None:
        return "prefect-redis is not installed (make bench installs it)"
    return None


def make_schema(folder: Path, url: str) -> None:
    """Give the database of that URL, as `Postgres` has it, Prefect's schema."""
    argv = [PREFECT, "server", "database", "upgrade", "-y"]
    env = _environment(folder, _settings(url))
    done = subprocess.run(argv, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def one_process(folder: Path, database_url: str) -> Iterator[PrefectProcesses]:
    """The API and all services in one process, with the tuning of the profile."""
    with _api_server(folder, "prefect", _settings(database_url)) as server:
        yield PrefectProcesses([server], {"prefect": server.pid})


@contextmanager
def split(folder: Path, database_url: str, api_servers: int) -> Iterator[PrefectProcesses]:
    """So many API servers, the services in a process of their own, and a Redis of their own."""
    with ExitStack() as stack:
        redis_port, redis = stack.enter_context(_redis(folder))
        settings = _settings(database_url, redis_port)
        names = [f"prefect-{number}" for number in range(1, api_servers + 1)]
        servers = [
            stack.enter_context(_api_server(folder, name, settings, "--no-services"))
            for name in names
        ]
        argv = [PREFECT, "server", "services", "start"]
        services = stack.enter_context(_process(folder, "services", settings, argv))
        pids = {name: server.pid for name, server in zip(names, servers, strict=True)}
        yield PrefectProcesses(servers, {**pids, "services": services.pid, "redis": redis.pid})


def _settings(database_url: str, redis_port: int | None = None) -> dict[str, str]:
    """The profile's, with the addresses of this machine; without those of Redis where there is
    none."""
    compose = yaml.safe_load(COMPOSE.read_text())
    profile: dict[str, str] = compose["services"]["prefect"]["environment"]
    own = {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database_url.replace(
            "postgresql://", "postgresql+asyncpg://"
        ),
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_AUTH_STRING": AUTH,
        "PREFECT_REDIS_MESSAGING_HOST": HOST,
        "PREFECT_REDIS_MESSAGING_PORT": str(redis_port),
        "PREFECT_SERVER_DOCKET_URL": f"redis://{HOST}:{redis_port}/1",
    }
    settings = {**profile, **own}
    if redis_port is not None:
        return settings
    return {
        name: value
        for name, value in settings.items()
        if not any(part in name for part in _OF_REDIS)
    }


def _environment(home: Path, settings: Mapping[str, str]) -> dict[str, str]:
    own = ("PROMPTOPS_", "PREFECT_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return {**inherited, **settings, "PREFECT_HOME": str(home)}


@contextmanager
def _api_server(
    folder: Path, name: str, settings: Mapping[str, str], *options: str
) -> Iterator[PrefectServer]:
    port = free_port()
    argv = [PREFECT, "server", "start", "--port", str(port), *options]
    with _process(folder, name, settings, argv) as process:
        api_url, log = f"http://{HOST}:{port}/api", folder / f"{name}.log"
        wait_until_healthy(api_url, process, log)
        yield PrefectServer(api_url, AUTH, folder / name, log, process.pid)


@contextmanager
def _redis(folder: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The port and the process of a Redis that keeps nothing on the disk."""
    port = free_port()
    argv = ["redis-server", "--bind", HOST, "--port", str(port), "--save", "", "--dir", str(folder)]
    with _process(folder, "redis", {}, argv) as process:
        eventually(lambda: _listens(port))
        yield port, process


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


@contextmanager
def _process(
    folder: Path, name: str, settings: Mapping[str, str], argv: Sequence[str]
) -> Iterator[subprocess.Popen[bytes]]:
    env = _environment(folder / name, settings)
    with (folder / f"{name}.log").open("ab") as output:
        process = subprocess.Popen(
            argv, env=env, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        end(process)
