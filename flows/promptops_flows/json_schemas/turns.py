"""Runs comparisons with schemas on threads, one at a time per run, so that no run delays the
others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Separate from the threads of templates and of Prefect. More threads would only wait for each
# other, since Python executes one at a time.
SCHEMA_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="schemas")


class Turns:
    """The comparisons of one run: each begins when the previous one has ended."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def compare(self, comparison: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function on a comparison thread and return its result."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            return await loop.run_in_executor(SCHEMA_THREADS, lambda: comparison(*args, **kwargs))
