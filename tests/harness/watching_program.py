"""`greeter.py`, running in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from harness.processes import eventually

PROGRAM = Path(__file__).with_name("greeter.py")
SDK = Path(__file__).parents[2] / "sdk" / "python"


@dataclass
class WatchingProgram:
    """The process and its output so far: `shown` is about prompts."""

    process: subprocess.Popen[str]
    shown: list[dict[str, str]] = field(default_factory=list)
    watches: bool = False

    def last(self, key: str) -> tuple[str, str] | None:
        """Version and text that it printed last for `key`."""
        lines = [line for line in self.shown if line["key"] == key]
        return (lines[-1]["version"], lines[-1]["text"]) if lines else None

    def is_running(self) -> bool:
        return self.process.poll() is None

    def read(self) -> None:
        """Record its output until it ends."""
        assert self.process.stdout is not None
        for text in self.process.stdout:
            line = json.loads(text)
            if line["event"] == "watching":
                self.watches = True
            else:
                self.shown.append(line)

    def watches_by_now(self) -> bool:
        assert self.is_running(), f"the program ended with {self.process.returncode}"
        return self.watches


@contextmanager
def watching_program(url: str, token: str, *keys: str) -> Iterator[WatchingProgram]:
    """The program, watching until the end of the block; it must then end with 0."""
    # -P: next to the program is a platform.py, which would hide the standard library's.
    argv = [sys.executable, "-P", str(PROGRAM), url, token, *keys]
    env = {**os.environ, "PYTHONPATH": str(SDK)}
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, env=env, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        program = WatchingProgram(process)
        reader = Thread(target=program.read)
        reader.start()
        try:
            eventually(program.watches_by_now, seconds=30)
            yield program
            assert program.is_running(), f"the program ended with {process.returncode}"
        finally:
            process.stdin.close()
            reader.join(30)
    assert process.returncode == 0
