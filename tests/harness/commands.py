"""Commands of `promptops` that end by themselves."""

import atexit
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from typer.testing import CliRunner

from promptops_platform.cli import app

_SERVER = Path(__file__).with_name("command_server.py")
_SECONDS = 60.0


def run_command(
    arguments: list[str], environment: Mapping[str, str], typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command in its own process, with only the environment variables that it needs."""
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment}
    with (
        tempfile.TemporaryFile("w+") as stdin,
        tempfile.TemporaryFile("w+") as stdout,
        tempfile.TemporaryFile("w+") as stderr,
        socket.socket(socket.AF_UNIX) as connection,
    ):
        stdin.write(typed)
        stdin.seek(0)
        connection.settimeout(_SECONDS)
        connection.connect(_command_server().path)
        command = json.dumps({"arguments": arguments, "environment": env}).encode()
        files = [stdin.fileno(), stdout.fileno(), stderr.fileno()]
        socket.send_fds(connection, [command], files)
        code = int(connection.recv(64))
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(arguments, code, stdout.read(), stderr.read())


def promptops(command: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_command([command, *options], environment)


def refused(command: str, *options: str, **environment: str) -> str:
    """The command's single error message."""
    done = promptops(command, *options, **environment)
    return _sentence(done.returncode, done.stderr)


def refused_here(command: str, *options: str, **environment: str) -> str:
    """The same for a command that fails before it does anything, in this process."""
    surroundings: dict[str, str | None] = dict.fromkeys(os.environ)
    done = CliRunner().invoke(app, [command, *options], env={**surroundings, **environment})
    return _sentence(done.exit_code, done.stderr)


def _sentence(exit_code: int, printed: str) -> str:
    assert exit_code == 1, printed
    assert "Traceback" not in printed
    sentence = printed.strip()
    assert len(sentence.splitlines()) == 1, sentence
    assert sentence.startswith("promptops: ")
    return sentence


class _CommandServer:
    """Lives as long as this process."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="commands-")
        self.path = f"{self._folder}/socket"
        # A bare descriptor, which is closed however this process ends; the server ends then.
        theirs, _ours = os.pipe()
        argv = [sys.executable, "-P", str(_SERVER), self.path]
        self._process = subprocess.Popen(argv, stdin=theirs)
        os.close(theirs)
        atexit.register(self._end)
        deadline = time.monotonic() + _SECONDS
        while not _listens(self.path):
            assert self._process.poll() is None, "the server of commands has ended"
            assert time.monotonic() < deadline, "the server of commands does not begin"
            time.sleep(0.02)

    def _end(self) -> None:
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._folder)


_command_server = cache(_CommandServer)


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0
