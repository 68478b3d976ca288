"""A real `promptops up` (or `promptops serve`) in a process of its own."""

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
# What children may take to start on a busy machine, and what a run may take that waits for them.
ENGINE_SECONDS = 180.0
RUN_SECONDS = 200.0


class PromptOps:
    """The process and what is known of it from outside.

    It may be started several times, on the same address and data folder. `settings` are
    `PROMPTOPS_*` variables in lower case, without the prefix; `environment` is set as it is.
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
        """For other commands on the same platform."""
        return self._environment

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def text(self) -> str:
        """What it has printed since its last start."""
        return self._stdout.read_text()

    @property
    def log(self) -> str:
        """What it has logged since its last start."""
        return self._stderr.read_text()

    @property
    def output(self) -> bytes:
        """All that it has ever written to its output."""
        return b"".join(path.read_bytes() for path in sorted(self._folder.iterdir()))

    @property
    def prefect_port(self) -> int:
        """Where its Prefect server listens, by the text at the start."""
        match = re.search(r"Prefect UI: http://127\.0\.0\.1:(\d+)", self.text)
        assert match, self.text
        return int(match[1])

    def events(self, name: str) -> list[dict[str, Any]]:
        """Log entries of one kind, since the last start."""
        # The last line may still be under way. Sentences for the operator are no log entries.
        lines = self.log.rpartition("\n")[0].splitlines()
        entries: list[dict[str, Any]] = [json.loads(line) for line in lines if line[:1] == "{"]
        return [entry for entry in entries if entry["event"] == name]

    def child(self, name: str) -> int:
        """The pid of the child that was started last under this name."""
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
                # A group of its own, as a terminal gives it: signals to it spare the tests.
                start_new_session=True,
            )

    def signal(self, number: Signals, *, group: bool = False) -> None:
        """Send a signal to the process, or to its whole group as a terminal does."""
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
        """Kill -9 the process alone, and collect it."""
        self._running.kill()
        self._running.wait()

    def processes(self) -> set[int]:
        """Every living process with this data folder, whosever child it is by now (Linux only)."""
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
        """A caller of its Prefect server's API; paths without a leading slash."""
        url = f"http://127.0.0.1:{self.prefect_port}/api/"
        return httpx.Client(base_url=url, auth=self.prefect_login(), timeout=30)

    def clean_up(self) -> None:
        """End what still runs, and remove its files."""
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
        """Everything that it and its children said."""
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
    """A platform on free ports, not started; all of it is gone at the end.

    The data folder is an empty one of its own, unless one is given, which is left as it is.
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
    """Make a prompt or a workflow over REST."""
    answer = client.post(f"/api/{kind}", json=fields)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def run_workflow(client: httpx.Client, workflow: Mapping[str, Any], **body: Any) -> httpx.Response:
    """Run a workflow over REST and wait for its end."""
    return client.post(f"/api/workflows/{workflow['id']}/run", json=body)


def _clean_environment() -> dict[str, str]:
    """The tests' own environment without what would set up a platform."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PROMPTOPS_", "PREFECT_"))
    }


def _environment_of(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""  # gone in between, or somebody else's
