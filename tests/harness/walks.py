"""The walks in the documentation: shell commands, programs, and their output."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from harness.processes import eventually

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"^```(sh walk|sh program|python program|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE
)
END = "end of the commands"
PROGRAM_SECONDS = 60.0


def blocks(page: Path) -> list[tuple[str, str]]:
    """Kind and text of each part of a walk, in order."""
    return BLOCK.findall(page.read_text())


class Shell:
    """One shell for all commands of a page, like its reader's."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._process = subprocess.Popen(
            ["bash"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, commands: str) -> str:
        """Their output; the page's address is replaced by the platform's."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        here = commands.replace("localhost:8080", self._address)
        self._process.stdin.write(f"{here}\necho; echo '{END}'\n")
        self._process.stdin.flush()
        return "".join(iter(self._process.stdout.readline, f"{END}\n"))

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


class Program:
    """A program of a page, and the lines that it has printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.lines: list[str] = []
        self._process = process
        self.reader = Thread(target=self._read)
        self.reader.start()

    def shows(self, text: str) -> None:
        """Wait until its last lines are these."""
        lines = text.splitlines()
        try:
            eventually(lambda: self.lines[-len(lines) :] == lines, seconds=PROGRAM_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{lines} is not the end of {self.lines}") from error

    def _read(self) -> None:
        assert self._process.stdout is not None
        self.lines.extend(line.rstrip("\n") for line in self._process.stdout)


@contextmanager
def program(source: str, address: str) -> Iterator[Program]:
    """A Python source, or a shell's line that starts one."""
    environment = {
        **os.environ,
        "PROMPTOPS_SERVER": f"http://{address}",
        "PYTHONPATH": str(ROOT / "sdk" / "python"),
    }
    script = re.search(r"python3 (\S+\.py)", source)
    argv = [sys.executable, *([script[1]] if script else ["-c", source])]
    with subprocess.Popen(
        argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        running = Program(process)
        try:
            yield running
        finally:
            process.terminate()
            running.reader.join()
