"""How far the start of children is, by the CPU time of real processes."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from harness.platform import until
from promptops_flows.processes.children import ChildSpec
from promptops_platform.supervision import Backoff, Supervisor
from promptops_platform.supervision.start_work import ChildrenStartWork

BUSY = "import time\nwhile time.process_time() < 600: pass"


def program(code: str) -> ChildSpec:
    return ChildSpec(name="child", argv=(sys.executable, "-c", code), env={}, log_name="child")


@pytest_asyncio.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(tmp_path, backoff=Backoff(first=0.01, longest=0.01))
    yield supervisor
    await supervisor.stop(now=True)


async def test_a_child_works_until_it_serves(supervisor: Supervisor) -> None:
    work, unfinished = ChildrenStartWork(supervisor), ChildrenStartWork(supervisor)
    assert work.seconds() == 0
    supervisor.start(program(BUSY))
    await until(lambda: work.seconds() > 0.2)
    work.finished()
    used = work.seconds()
    await until(lambda: unfinished.seconds() > used + 0.2)
    assert work.seconds() == used
    # One that is started again has a start of its own.
    (child,) = supervisor.states()
    assert child.pid is not None
    await supervisor.stop(now=True)
    supervisor.start(program(BUSY))
    await until(lambda: work.seconds() > used + 0.2)


async def test_a_child_that_dies_again_and_again_does_no_work(supervisor: Supervisor) -> None:
    work = ChildrenStartWork(supervisor)
    supervisor.start(program("raise SystemExit(1)"))
    await until(lambda: supervisor.states()[0].failures > 1)
    used = work.seconds()
    await until(lambda: supervisor.states()[0].failures > 3)
    assert work.seconds() == used
