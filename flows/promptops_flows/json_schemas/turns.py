"""Comparisons with schemas off the event loop, in turns, so that no run keeps others waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Apart from the threads of templates and of Prefect. More would only wait for each other, as
# Python executes one at a time.
SCHEMA_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="schemas")


class Turns:
    """Of one run: a comparison begins when the one before it has ended."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def compare(self, comparison: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function returns, which is called on a thread for comparisons."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            return await loop.run_in_executor(SCHEMA_THREADS, lambda: comparison(*args, **kwargs))
