import signal
import subprocess
import sys

import pytest

from harness.processes import WAIT_SECONDS

WATCHED = """
import signal, sys
from promptops_flows.processes.parent_watch import exit_with_parent
signal.signal(signal.SIGTERM, lambda *_: {on_term})
exit_with_parent(bound_seconds={bound})
print("watching", flush=True)
signal.pause()
signal.pause()
"""


def watched(*, on_term: str, bound: float, pipe: str = "1") -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", WATCHED.format(on_term=on_term, bound=bound)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PROMPTOPS_PARENT_PIPE": pipe},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"watching\n"
    return process


def hang_up(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()


def close(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    process.stdout.close()


def test_the_end_of_the_pipe_is_a_graceful_stop() -> None:
    process = watched(on_term="sys.exit(7)", bound=30)
    hang_up(process)
    assert process.wait(timeout=WAIT_SECONDS) == 7
    close(process)


def test_a_child_that_does_not_stop_is_killed() -> None:
    process = watched(on_term="None", bound=0.2)
    hang_up(process)
    assert process.wait(timeout=WAIT_SECONDS) == 1
    close(process)


def test_without_the_variable_stdin_is_ignored() -> None:
    process = watched(on_term="sys.exit(7)", bound=0.1, pipe="")
    hang_up(process)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=WAIT_SECONDS)
    close(process)
