"""What a platform on SQLite does not load: each of these costs every installation megabytes."""

import asyncio
import subprocess
import sys

from promptops_flows.processes.waiting import end_tasks
from promptops_platform.freed_memory import malloc_trim, return_freed_memory

SPARED = ("alembic", "asyncpg", "cryptography", "mako", "prefect", "pygments", "rich")
PROGRAM = f"""
import sys
import promptops_platform.cli
print(*(name for name in {SPARED!r} if name in sys.modules))
"""


def test_the_command_loads_nothing_that_it_does_not_need() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


async def test_freed_memory_is_returned_once_after_many_changes() -> None:
    loop, trims = asyncio.get_running_loop(), asyncio.Queue[int]()
    # Few changes, then many, which go on for a while, and then none.
    revisions = iter([1, 2, 2, 2, 2, 300, 300, 600, 600, 601, 601, 601, 601])
    asked: asyncio.Future[None] = loop.create_future()

    def revision() -> int:
        following = next(revisions, None)
        if following is None and not asked.done():
            asked.set_result(None)
        return following or 601

    def trim(kept_bytes: int) -> int:
        loop.call_soon_threadsafe(trims.put_nowait, kept_bytes)
        return 1

    task = asyncio.create_task(return_freed_memory(trim, revision, period_seconds=0))
    await asked
    assert await trims.get() == 0
    await end_tasks(task)
    assert trims.empty()


async def test_a_library_without_such_a_call_is_left_alone() -> None:
    await return_freed_memory(None, lambda: 0, period_seconds=0)


def test_the_library_returns_memory_where_it_can() -> None:
    trim = malloc_trim()
    assert trim is None or trim(0) in (0, 1)
