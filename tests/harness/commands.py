"""Commands of `promptops` that end by themselves."""

import os
import subprocess
import sys


def promptops(command: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with no more of the surroundings than it needs."""
    program = "from promptops_platform.cli import main; main()"
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment}
    return subprocess.run(
        [sys.executable, "-c", program, command, *options],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refused(command: str, *options: str, **environment: str) -> str:
    """The one sentence with which the command ends."""
    done = promptops(command, *options, **environment)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    sentence = done.stderr.strip()
    assert len(sentence.splitlines()) == 1, sentence
    assert sentence.startswith("promptops: ")
    return sentence
