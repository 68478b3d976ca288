"""Ends tasks and waits for events without losing a cancellation.

Before Python 3.12, `asyncio.wait_for` drops a cancellation that arrives in the same iteration of
the loop as the awaited result. A task that loops would continue, and whoever ends it would wait for
ever.
"""

from __future__ import annotations

import asyncio
from typing import Any

# Longer than any task needs to clean up.
_AGAIN_SECONDS = 6.0


async def happens_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event; returns False if it did not happen within `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def end_tasks(
    *tasks: asyncio.Future[Any] | None, again_seconds: float = _AGAIN_SECONDS
) -> None:
    """Cancel the tasks and wait until they have ended. The cancellation is repeated, since a
    library may lose it."""
    pending = {task for task in tasks if task is not None and not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=again_seconds)
