"""Time limits and ends of tasks that lose no cancellation.

 Before Python 3.12, `asyncio.wait_for` drops a cancellation that arrives in the same turn of the
loop as the result. A looping task then continues, and whoever ends it waits forever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

# Longer than any clean-up of a task.
AGAIN_SECONDS = 3.0


async def within(
    seconds: float,
    waiting: Coroutine[Any, Any, T],
    unwanted: Callable[[T], None] | None = None,
) -> T:
    """Return the result, like `asyncio.wait_for`; raises asyncio.TimeoutError. `unwanted`
    receives a result that comes too late or for a cancelled caller."""
    task = asyncio.create_task(waiting)
    try:
        await asyncio.wait({task}, timeout=max(seconds, 0))
    except asyncio.CancelledError:
        await _discard(task, unwanted)
        raise
    if not task.done():
        await _discard(task, unwanted)
        raise asyncio.TimeoutError
    return task.result()


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel the task and wait until it has ended. Libraries may lose a cancellation, so it is
    repeated."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_SECONDS)
    if not task.cancelled():
        # Else asyncio logs an error that the task ended with before it was cancelled.
        task.exception()


async def _discard(task: asyncio.Task[T], unwanted: Callable[[T], None] | None) -> None:
    await end_task(task)
    if not task.cancelled() and task.exception() is None and unwanted is not None:
        unwanted(task.result())
