"""Real processes under supervision: small Python programs, waited for by what they do."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvloop

from harness.platform import until
from harness.processes import WAIT_SECONDS, eventually, is_alive
from promptops_platform.supervision import Backoff, ChildState, Phase, Supervisor

QUICK = Backoff(first=0.02, longest=0.1, stable=60.0)
SLEEP = "import time; time.sleep(600)"


@dataclass(frozen=True)
class Program:
    """A child specification that runs a line of Python."""

    code: str
    name: str = "child"
    env: Mapping[str, str] = field(default_factory=dict)
    fds: tuple[int, ...] = ()

    @property
    def argv(self) -> tuple[str, ...]:
        return (sys.executable, "-c", self.code)

    @property
    def log_name(self) -> str:
        return self.name


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "logs", backoff=QUICK)
    yield supervisor
    await supervisor.stop()


def files_in(folder: Path) -> set[Path]:
    return set(folder.iterdir())


def only(supervisor: Supervisor) -> ChildState:
    (state,) = supervisor.states()
    return state


async def running_pid(supervisor: Supervisor, *, other_than: int | None = None) -> int:
    await until(lambda: only(supervisor).pid not in (None, other_than))
    pid = only(supervisor).pid
    assert pid is not None
    return pid


async def test_a_child_that_dies_is_started_again(supervisor: Supervisor) -> None:
    supervisor.start(Program(SLEEP))
    first = await running_pid(supervisor)
    os.kill(first, signal.SIGKILL)
    second = await running_pid(supervisor, other_than=first)
    assert only(supervisor) == ChildState("child", Phase.RUNNING, second, 1, -signal.SIGKILL)
    assert not is_alive(first)


async def test_a_child_that_always_dies_is_started_ever_more_slowly(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, backoff=Backoff(first=0.05, longest=60.0, stable=60.0))
    supervisor.start(Program("import time; print(time.time(), flush=True); raise SystemExit(3)"))
    log = tmp_path / "child.log"
    await until(lambda: log.exists() and len(log.read_text().split()) >= 5)
    before = only(supervisor)
    await supervisor.stop()
    started_at = [float(line) for line in log.read_text().split()]
    pauses = [later - earlier for earlier, later in itertools.pairwise(started_at[:5])]
    # At least half of each, by which replicas are kept out of step; a busy machine adds to it.
    assert all(pause > 0.5 * 0.05 * 2**number for number, pause in enumerate(pauses)), pauses
    assert started_at[4] - started_at[3] > 0.2
    assert (before.last_exit, before.restarts) == (3, 4)


async def test_a_long_life_starts_the_backoff_over(tmp_path: Path) -> None:
    always_stable = Backoff(first=0.05, longest=600.0, stable=0.0)
    supervisor = Supervisor(tmp_path, backoff=always_stable)
    supervisor.start(Program("raise SystemExit(3)"))
    # Without starting over, the twelfth start would lie 50 s to 100 s away.
    await until(lambda: only(supervisor).restarts >= 11)
    await supervisor.stop()


async def test_while_it_waits_the_state_says_so_and_a_stop_does_not_wait(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, backoff=Backoff(first=600.0, longest=600.0))
    supervisor.start(Program("raise SystemExit(3)"))
    await until(lambda: only(supervisor).phase is Phase.BACKING_OFF)
    assert only(supervisor) == ChildState("child", Phase.BACKING_OFF, None, 0, 3)
    await asyncio.wait_for(supervisor.stop(), 30)
    assert only(supervisor).phase is Phase.STOPPED


async def test_what_cannot_be_started_is_reported_and_tried_again(supervisor: Supervisor) -> None:
    class Missing(Program):
        @property
        def argv(self) -> tuple[str, ...]:
            return ("/nowhere/at/all",)

    supervisor.start(Missing(""))
    await until(lambda: only(supervisor).restarts >= 2)
    assert only(supervisor).pid is None
    assert only(supervisor).last_exit is None


async def test_its_output_is_appended_to_its_log(supervisor: Supervisor, tmp_path: Path) -> None:
    code = "import os, sys; print('out', os.environ['WHO']); sys.exit('to stderr')"
    supervisor.start(Program(code, env={"WHO": "me"}))
    log = tmp_path / "logs" / "child.log"
    await until(lambda: log.exists() and log.read_text().count("to stderr") >= 2)
    assert log.read_text().count("out me\n") >= 2


async def test_a_long_log_is_moved_aside_at_the_start(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    for text in ("first" * 50, "second" * 50, "third" * 50, "fourth" * 50, "fifth" * 50):
        log.write_text(text)
        supervisor = Supervisor(tmp_path, log_limit=100)
        supervisor.start(Program("import time; print('new', flush=True); time.sleep(600)"))
        await until(lambda: log.exists() and log.read_text() == "new\n")
        await supervisor.stop()
    kept = [tmp_path / f"child.log.{number}" for number in (1, 2, 3)]
    assert [path.read_text()[:5] for path in kept] == ["fifth", "fourt", "third"]
    assert files_in(tmp_path) == {log, *kept}


async def test_the_last_started_is_stopped_first(supervisor: Supervisor, tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    code = (
        "import os, signal, sys, time\n"
        "def end(*_):\n"
        "    time.sleep(0.1)\n"
        f"    open({str(ends)!r}, 'a').write(os.environ['NAME'] + ' ')\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    for name in ("first", "second", "third"):
        supervisor.start(Program(code, name=name, env={"NAME": name}))
    logs = [tmp_path / "logs" / f"{name}.log" for name in ("first", "second", "third")]
    await until(lambda: all(log.exists() and log.read_text() for log in logs))
    await supervisor.stop()
    assert ends.read_text().split() == ["third", "second", "first"]
    assert [state.last_exit for state in supervisor.states()] == [0, 0, 0]

    await supervisor.stop()
    assert ends.read_text().split() == ["third", "second", "first"]


STUBBORN = (
    "import signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    f"grandchild = subprocess.Popen([sys.executable, '-c', {SLEEP!r}])\n"
    "print(grandchild.pid, flush=True)\n"
    "time.sleep(600)\n"
)


async def test_the_stubborn_are_killed_with_all_they_started(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.start(Program(STUBBORN), grace=0.2)
    log = tmp_path / "logs" / "child.log"
    await until(lambda: log.exists() and log.read_text().endswith("\n"))
    child = await running_pid(supervisor)
    await asyncio.wait_for(supervisor.stop(), WAIT_SECONDS)
    assert only(supervisor).last_exit == -signal.SIGKILL
    await until(lambda: not is_alive(child) and not is_alive(int(log.read_text())))


async def test_a_dead_childs_own_children_do_not_survive_it(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.start(Program(STUBBORN), grace=0.2)
    log = tmp_path / "logs" / "child.log"
    await until(lambda: log.exists() and log.read_text().endswith("\n"))
    orphan = int(log.read_text())
    os.kill(await running_pid(supervisor), signal.SIGKILL)
    await until(lambda: not is_alive(orphan))


async def test_a_stop_right_after_the_start_leaves_nothing(tmp_path: Path) -> None:
    for _ in range(5):
        supervisor = Supervisor(tmp_path, backoff=QUICK)
        supervisor.start(Program("import os, time; print(os.getpid()); time.sleep(600)"))
        await asyncio.sleep(0)
        await asyncio.wait_for(supervisor.stop(), WAIT_SECONDS)
        assert only(supervisor).phase is Phase.STOPPED
        assert only(supervisor).pid is None


async def test_a_cancelled_stop_still_ends_the_child(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, backoff=QUICK)
    supervisor.start(Program(STUBBORN), grace=60.0)
    log = tmp_path / "child.log"
    await until(lambda: log.exists() and log.read_text().endswith("\n"))
    child = await running_pid(supervisor)
    stop = asyncio.create_task(supervisor.stop())
    await asyncio.sleep(0.05)
    stop.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await stop
    await until(lambda: not is_alive(child))


async def test_ctrl_c_in_the_terminal_does_not_reach_it(supervisor: Supervisor) -> None:
    supervisor.start(Program(SLEEP))
    pid = await running_pid(supervisor)
    assert os.getsid(pid) == os.getpgid(pid) == pid


def test_it_works_on_uvloop_too(tmp_path: Path) -> None:
    async def restart_once() -> ChildState:
        supervisor = Supervisor(tmp_path, backoff=QUICK)
        supervisor.start(Program(SLEEP))
        first = await running_pid(supervisor)
        os.kill(first, signal.SIGKILL)
        await running_pid(supervisor, other_than=first)
        await supervisor.stop()
        return only(supervisor)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        state = runner.run(restart_once())
    assert (state.phase, state.restarts) == (Phase.STOPPED, 1)


PARENT = """
import asyncio, sys
from pathlib import Path
from promptops_platform.supervision import Supervisor

class Watching:
    def __init__(self, name):
        self.name = self.log_name = name
        self.env, self.fds = {}, ()
        self.argv = (sys.executable, "-c", sys.argv[2])

async def main():
    supervisor = Supervisor(Path(sys.argv[1]))
    supervisor.start(Watching("one"))
    supervisor.start(Watching("two"))
    await asyncio.sleep(600)

asyncio.run(main())
"""
WATCHING = (
    "import os, time\n"
    "from promptops_flows.processes.parent_watch import exit_with_parent\n"
    "exit_with_parent()\n"
    "print(os.getpid(), flush=True)\n"
    "time.sleep(600)\n"
)


def test_a_parent_killed_with_minus_9_takes_its_children_along(tmp_path: Path) -> None:
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path), WATCHING]) as parent:
        eventually(lambda: all(log.exists() and log.read_text() for log in logs))
        children = [int(log.read_text()) for log in logs]
        assert all(is_alive(child) for child in children)
        parent.kill()
    eventually(lambda: not any(is_alive(child) for child in children))
