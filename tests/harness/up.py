"""A real `promptops up` (or `promptops serve`) in its own process."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Any

import httpx

from harness.platform import new_data_folder
from harness.ports import free_port
from harness.processes import eventually, is_alive
from promptops_platform.settings import DEFAULT_TOKEN

COMMAND = Path(sys.executable).with_name("promptops")
HEALTHY_SECONDS = 60.0
EXIT_SECONDS = 60.0
# The time that children may need to start on a busy machine, and a run that waits for them.
ENGINE_SECONDS = 180.0
RUN_SECONDS = 200.0


class PromptOps:
    """The process and its visible state.

    It may be started several times, with the same address and data folder. `settings` are
    `PROMPTOPS_*` variables in lower case, without the prefix; `environment` is set unchanged.
    """

    def __init__(
        self,
        command: str,
        settings: Mapping[str, str],
        data: Path | None,
        environment: Mapping[str, str],
    ) -> None:
        self._owns_data = data is None
        self.data = data = data or new_data_folder()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = settings.get("token", DEFAULT_TOKEN)
        self.argv: Sequence[str] = (str(COMMAND), command)
        defaults = {
            "addr": f"127.0.0.1:{self.port}",
            "data": str(data),
            "prefect_port": str(free_port()),
            "log_format": "json",
            "engine_wait_seconds": str(ENGINE_SECONDS),
            **settings,
        }
        self._environment = {
            **_clean_environment(),
            **{f"PROMPTOPS_{name.upper()}": value for name, value in defaults.items()},
            **environment,
        }
        self._folder = Path(tempfile.mkdtemp(prefix="promptops-output-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment for other commands on the same platform."""
        return self._environment

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def text(self) -> str:
        """Its output since the last start."""
        return self._stdout.read_text()

    @property
    def log(self) -> str:
        """Its log since the last start."""
        return self._stderr.read_text()

    @property
    def output(self) -> bytes:
        """All of its output."""
        return b"".join(path.read_bytes() for path in sorted(self._folder.iterdir()))

    @property
    def prefect_port(self) -> int:
        """The address of its Prefect server, from the output at the start."""
        match = re.search(r"Prefect UI: http://127\.0\.0\.1:(\d+)", self.text)
        assert match, self.text
        return int(match[1])

    def events(self, name: str) -> list[dict[str, Any]]:
        """Log entries of one kind, since the last start."""
        # The last line may be incomplete. Messages for the operator aren't log entries.
        lines = self.log.rpartition("\n")[0].splitlines()
        entries: list[dict[str, Any]] = [json.loads(line) for line in lines if line[:1] == "{"]
        return [entry for entry in entries if entry["event"] == name]

    def child(self, name: str) -> int:
        """The pid of the last started child of this name."""
        pids = [entry["pid"] for entry in self.events("child_started") if entry["child"] == name]
        return int(pids[-1]) if pids else 0

    def start(self) -> None:
        """Start the process and wait until it serves; its children may need longer."""
        self.launch()
        eventually(self._is_up, seconds=HEALTHY_SECONDS)

    def launch(self) -> None:
        """Start the process."""
        number = len(list(self._folder.iterdir())) // 2
        self._stdout = self._folder / f"{number}-stdout"
        self._stderr = self._folder / f"{number}-stderr"
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                self.argv,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                # Its own process group, like in a terminal: signals to it don't reach the tests.
                start_new_session=True,
            )

    def signal(self, number: Signals, *, group: bool = False) -> None:
        """Send a signal to the process, or to its whole group like a terminal."""
        if group:
            os.killpg(self.pid, number)
        else:
            self._running.send_signal(number)

    def wait(self, seconds: float = EXIT_SECONDS) -> int:
        """The exit code; -N for signal N."""
        return self._running.wait(seconds)

    def stop(self, number: Signals = SIGTERM) -> int:
        """Send the signal and wait for the end."""
        self.signal(number)
        return self.wait()

    def kill(self) -> None:
        """Kill -9 only the process, and reap it."""
        self._running.kill()
        self._running.wait()

    def processes(self) -> set[int]:
        """Every living process with this data folder, whatever its parent is now (Linux only)."""
        data_path = os.fsencode(str(self.data))
        return {
            int(folder.name)
            for folder in Path("/proc").glob("[0-9]*")
            if data_path in _environment_of(folder) and is_alive(int(folder.name))
        }

    def all_gone(self, seconds: float = 60.0) -> None:
        """Wait until no process is left."""
        eventually(lambda: not self.processes(), seconds=seconds)

    def client(self, token: str | None = None) -> httpx.Client:
        """A caller with the static token, or with another one."""
        headers = {"authorization": f"Bearer {token or self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=RUN_SECONDS)

    def prefect_login(self) -> tuple[str, str]:
        """User and password of its Prefect server."""
        path = self.data / "prefect" / "credentials"
        user, _, password = path.read_text().strip().partition(":")
        return user, password

    def prefect(self) -> httpx.Client:
        """A client of its Prefect server's API; paths without a leading slash."""
        url = f"http://127.0.0.1:{self.prefect_port}/api/"
        return httpx.Client(base_url=url, auth=self.prefect_login(), timeout=30)

    def clean_up(self) -> None:
        """End all remaining processes, and remove its files."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(EXIT_SECONDS)
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder)
        if self._owns_data:
            for pid in self.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, SIGKILL)
            self.all_gone()
            shutil.rmtree(self.data)

    def report(self) -> str:
        """The output of the process and its children."""
        logs = sorted((self.data / "logs").glob("*.log"))
        files = [*sorted(self._folder.iterdir()), *logs]
        return "\n".join(f"--- {path}\n{path.read_text(errors='replace')}" for path in files)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    def _is_up(self) -> bool:
        code = self._running.poll()
        assert code is None, f"ended with {code}:\n{self.text}{self.log}"
        try:
            return httpx.get(f"{self.url}/health", timeout=5).is_success and bool(self.text)
        except httpx.TransportError:
            return False


@contextmanager
def promptops(
    command: str = "up",
    settings: Mapping[str, str] | None = None,
    *,
    data: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[PromptOps]:
    """A platform on free ports, not started; everything is removed at the end.

    Its data folder is new and empty, unless one is passed, which is kept.
    """
    platform = PromptOps(command, settings or {}, data, environment or {})
    try:
        yield platform
    except BaseException:
        # Pytest shows it with the failure.
        print(platform.report())
        raise
    finally:
        platform.clean_up()


def created(client: httpx.Client, kind: str, **fields: Any) -> dict[str, Any]:
    """Create a prompt or a workflow over the API."""
    answer = client.post(f"/api/{kind}", json=fields)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def run_workflow(client: httpx.Client, workflow: Mapping[str, Any], **body: Any) -> httpx.Response:
    """Run a workflow over the API and wait for its end."""
    return client.post(f"/api/workflows/{workflow['id']}/run", json=body)


def _clean_environment() -> dict[str, str]:
    """The tests' environment without variables that configure a platform."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PROMPTOPS_", "PREFECT_"))
    }


def _environment_of(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""  # gone in the meantime, or another user's
