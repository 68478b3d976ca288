"""Ending tasks and waiting for events so that no cancellation is lost.

`asyncio.wait_for` drops, before Python 3.12, a cancellation that arrives in the same turn of the
loop as what it waits for. A task that loops then goes on, and whoever ends it waits for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any

# Longer than any task takes to clean up.
_AGAIN_SECONDS = 6.0


async def happens_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event; False when `seconds` were not enough."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def end_tasks(
    *tasks: asyncio.Future[Any] | None, again_seconds: float = _AGAIN_SECONDS
) -> None:
    """Cancel the tasks and wait until they have ended. A library may lose the cancellation, so it
    is repeated."""
    pending = {task for task in tasks if task is not None and not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=again_seconds)
