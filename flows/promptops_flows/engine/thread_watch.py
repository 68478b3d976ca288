"""Checks whether the engine's thread pools accept work: a full pool delays every run."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Executor

from promptops_flows.engine.logs import log

PATIENCE_SECONDS = 5.0
_PERIOD_SECONDS = 1.0
_FULL = "all threads of the run engine are busy; runs wait until one is free"


class ThreadWatch:
    """None stands for the event loop's default pool."""

    def __init__(self, *pools: Executor | None, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._pools = pools
        self._patience_seconds = patience_seconds
        self._full = 0

    @property
    def reason(self) -> str | None:
        """None while each pool starts a piece of work in time, otherwise a sentence."""
        return _FULL if self._full else None

    async def watch(self) -> None:
        """Keep `reason` up to date until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for pool in self._pools:
                tasks.create_task(self._watch_pool(pool))

    async def _watch_pool(self, pool: Executor | None) -> None:
        loop = asyncio.get_running_loop()
        while True:
            taken_up = loop.run_in_executor(pool, _no_work)
            done, _ = await asyncio.wait([taken_up], timeout=self._patience_seconds)
            if not done:
                await self._wait_while_full(taken_up)
            await asyncio.sleep(_PERIOD_SECONDS)

    async def _wait_while_full(self, taken_up: asyncio.Future[None]) -> None:
        log(logging.WARNING, "engine.threads_full")
        self._full += 1
        try:
            await asyncio.shield(taken_up)
        finally:
            self._full -= 1
        log(logging.INFO, "engine.threads_free")


def _no_work() -> None:
    """Done as soon as a thread starts it."""
