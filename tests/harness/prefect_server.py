"""One tuned Prefect server for all tests that need a real one."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from harness.ports import free_port
from harness.processes import WAIT_SECONDS
from promptops_flows.processes.children import ChildSpec, inherited, prefect_server_spec

_READY_SECONDS = 120.0


@dataclass(frozen=True)
class PrefectServer:
    """`auth` is `user:password`; `log` is the file of its output."""

    api_url: str
    auth: str
    data: Path
    log: Path
    pid: int

    def client(self) -> httpx.Client:
        user, password = self.auth.split(":", 1)
        # The trailing slash lets relative paths append: client.post("flows/filter").
        return httpx.Client(base_url=f"{self.api_url}/", auth=(user, password), timeout=30)


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """The tuned server on a free port with an empty data folder, ready."""
    data = tmp_path_factory.mktemp("prefect-server")
    port, auth = free_port(), "admin:test-password"
    spec = prefect_server_spec(data=data, host="127.0.0.1", port=port, auth=auth)
    log = data / "prefect.log"
    process = spawn(spec, log)
    try:
        api_url = f"http://127.0.0.1:{port}/api"
        wait_until_healthy(api_url, process, log)
        yield PrefectServer(api_url=api_url, auth=auth, data=data, log=log, pid=process.pid)
    finally:
        end(process)


@contextmanager
def frozen(server: PrefectServer) -> Iterator[None]:
    """Alive and connected, but not responding."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def spawn(spec: ChildSpec, log: Path) -> subprocess.Popen[bytes]:
    """The process as the supervisor starts it: it ends when its stdin is closed."""
    env = {**inherited(os.environ), **spec.env, "PROMPTOPS_PARENT_PIPE": "1"}
    with log.open("ab") as output:
        return subprocess.Popen(
            spec.argv,
            env=env,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def wait_until_healthy(api_url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"The server ended with {process.returncode}:\n{log.read_text()}")
        try:
            if httpx.get(f"{api_url}/health", timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"No answer within {_READY_SECONDS:.0f} s:\n{log.read_text()}")


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=WAIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        if process.stdin:
            process.stdin.close()
