"""A program that uses the Python SDK, as a user would write it, in a process of its own.

It prints a JSON line for each prompt it holds, and for each update of one, until its input ends.
Its arguments: the server's URL, its token, then the keys.
"""

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
from typing import Any

REPOSITORY = Path(__file__).parents[2]
VARIABLES = {"who": "Ada"}


def main(url: str, token: str, *keys: str) -> None:
    from promptops import PromptOpsClient

    def show(prompt: Any, event: str) -> None:
        text = client.render_template(prompt["content"], VARIABLES)
        line = {"key": prompt["key"], "version": prompt["version"], "text": text, "event": event}
        print(json.dumps(line), flush=True)

    with PromptOpsClient(url, namespace="prod", token=token, app_name="greeter") as client:
        for key in keys:
            show(client.get_prompt(key), "held")
        client.watch(lambda update: show(update["prompt"], update["event"]["type"]))
        sys.stdin.read()


@dataclass
class WatchingProgram:
    """The process, and what it has printed so far."""

    process: subprocess.Popen[str]
    lines: list[dict[str, str]] = field(default_factory=list)

    def shown(self, key: str) -> tuple[str, str] | None:
        """Version and text that it printed last for `key`."""
        for line in reversed(self.lines):
            if line["key"] == key:
                return line["version"], line["text"]
        return None

    def is_running(self) -> bool:
        return self.process.poll() is None


@contextmanager
def watching_program(url: str, token: str, *keys: str) -> Iterator[WatchingProgram]:
    """The program, running until the end of the block, where it has to end with 0."""
    # -P: beside this file lies a platform.py, which would hide the standard library's.
    argv = [sys.executable, "-P", __file__, url, token, *keys]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY / "sdk" / "python")}
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, env=env, stdin=pipe, stdout=pipe, text=True) as process:
        program = WatchingProgram(process)
        assert process.stdout is not None
        output = process.stdout

        def read() -> None:
            for line in output:
                program.lines.append(json.loads(line))

        reader = Thread(target=read)
        reader.start()
        try:
            yield program
            assert program.is_running(), f"the program ended with {process.returncode}"
        finally:
            assert process.stdin is not None
            process.stdin.close()
            reader.join(30)
    assert process.returncode == 0


if __name__ == "__main__":
    main(*sys.argv[1:])
