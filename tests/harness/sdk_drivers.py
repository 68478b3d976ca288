"""The driver of each SDK: a program that executes commands with its SDK, one JSON line at a
time."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SDK = Path(__file__).parents[2] / "sdk"
JAVA_CLASSES = [SDK / "java" / "target" / folder for folder in ("classes", "test-classes")]
# `make` sets it: every SDK must be built there.
ALL_SDKS = "PROMPTOPS_TEST_ALL_SDKS"
# The time-out for a driver's line: commands of the scenarios take some seconds at most.
ANSWER_SECONDS = 30.0

COMMANDS = {
    "python": [sys.executable, "-P", str(SDK / "python" / "conformance" / "driver.py")],
    "python-async": [
        sys.executable,
        "-P",
        str(SDK / "python" / "conformance" / "driver.py"),
        "--async",
    ],
    "node": ["node", str(SDK / "node" / "conformance" / "driver.mjs")],
    "java": [
        "java",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        os.pathsep.join(map(str, JAVA_CLASSES)),
        "io.promptops.conformance.Driver",
    ],
}
# The files that a driver needs, besides its interpreter.
NEEDED = {
    "python": SDK / "python" / "conformance" / "driver.py",
    "python-async": SDK / "python" / "conformance" / "driver.py",
    "node": SDK / "node" / "dist" / "index.js",
    "java": JAVA_CLASSES[1] / "io" / "promptops" / "conformance" / "Driver.class",
}


def missing(name: str) -> str | None:
    """Why this driver can't run here, or None if it can."""
    if shutil.which(COMMANDS[name][0]) is None:
        return f"{COMMANDS[name][0]} is not installed"
    needed = NEEDED[name]
    return None if needed.exists() else f"{needed.relative_to(SDK.parent)} is not there: build it"


def available() -> list[str]:
    """The drivers that can run here; fails if every SDK must be built."""
    lacking = {name: missing(name) for name in COMMANDS}
    wrong = [why for why in lacking.values() if why is not None]
    assert not (wrong and os.environ.get(ALL_SDKS)), wrong
    return [name for name, why in lacking.items() if why is None]


class Driver:
    """A driver's process; used by one thread."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def begin(self, command: dict[str, Any]) -> None:
        """Send a command without waiting for its reply."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def end(self, seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        """The reply to the oldest unanswered command."""
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"the driver did not answer within {seconds:.0f} s") from None
        assert line is not None, f"the driver ended with {self._process.wait(10)}"
        answer = json.loads(line)
        assert isinstance(answer, dict), line
        return answer

    def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        """The reply to a command."""
        self.begin(command)
        return self.end()

    def join(self) -> None:
        """Wait until all its output is read."""
        self._reader.join(10)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)


@contextmanager
def running_driver(name: str, variables: Mapping[str, str] | None = None) -> Iterator[Driver]:
    """The driver's process; it must end by itself, with 0, at the end of its input.

    `variables` are set in its environment.
    """
    env = {**os.environ, "PYTHONPATH": str(SDK / "python"), **(variables or {})}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        COMMANDS[name], env=env, stdin=pipe, stdout=pipe, text=True, encoding="utf-8"
    ) as process:
        assert process.stdin is not None
        driver = Driver(process)
        try:
            yield driver
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            finally:
                driver.join()
    assert process.returncode == 0
