"""Returns freed memory to the system.

The short-lived values of requests leave holes between those that stay, such as prompts in the
snapshot. The C library would keep these pages for later; after many edits they are megabytes.
"""

import asyncio
import ctypes
from collections.abc import Callable

PERIOD_SECONDS = 2.0
# Trimming stops the threads that need memory for up to 50 ms: after many edits alone, and not amid
# them, when the holes are soon filled again.
LEAST_CHANGES = 500
# Takes the number of bytes to keep, and returns whether it returned some.
Trim = Callable[[int], int]


async def return_freed_memory(
    trim: Trim | None, revision: Callable[[], int], period_seconds: float = PERIOD_SECONDS
) -> None:
    """Trim the heap, on a thread, whenever a period without changes follows many; `revision` is
    that of the last change. Ends at once where the heap can't be trimmed."""
    trimmed_at = last = revision()
    while trim is not None:
        await asyncio.sleep(period_seconds)
        is_quiet, last = last == revision(), revision()
        if is_quiet and last - trimmed_at >= LEAST_CHANGES:
            trimmed_at = last
            await asyncio.to_thread(trim, 0)


def malloc_trim() -> Trim | None:
    """That of glibc; musl and macOS have none."""
    try:
        trim: Trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return None
    return trim
