"""Returns freed memory to the system.

Short-lived values of requests leave gaps between long-lived ones, such as prompts in the snapshot.
The C library would keep these pages for later use; after many edits they add up to megabytes.
"""

import asyncio
import ctypes
from collections.abc import Callable

PERIOD_SECONDS = 2.0
# Trimming blocks the threads that need memory for up to 50 ms, so it runs after many edits, not
# during them, when the gaps are soon filled again.
LEAST_CHANGES = 500
# Takes the number of bytes to keep, and returns whether it released any.
Trim = Callable[[int], int]


async def return_freed_memory(
    trim: Trim | None, revision: Callable[[], int], period_seconds: float = PERIOD_SECONDS
) -> None:
    """Trim the heap, in a thread, whenever a quiet period follows many changes; `revision` returns
    that of the last change. Returns immediately if the heap can't be trimmed."""
    trimmed_at = last = revision()
    while trim is not None:
        await asyncio.sleep(period_seconds)
        is_quiet, last = last == revision(), revision()
        if is_quiet and last - trimmed_at >= LEAST_CHANGES:
            trimmed_at = last
            await asyncio.to_thread(trim, 0)


def malloc_trim() -> Trim | None:
    """Return glibc's function; musl and macOS have none."""
    try:
        trim: Trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return None
    return trim
