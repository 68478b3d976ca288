"""Deletes old runs, if a setting limits how long they are kept. Their statistics are kept."""

import asyncio
from datetime import timedelta

import structlog

from promptops_flows.processes.waiting import end_tasks
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.runlog import repository
from promptops_platform.runlog.rollups import add_to_counts, shard_of

log = structlog.get_logger(__name__)

EVERY_SECONDS = 600
# A transaction of this size delays other writers by only a few milliseconds.
BATCH = 500
PAUSE_SECONDS = 0.05


class RunRetention:
    """Every replica deletes; they skip each other's batches."""

    def __init__(
        self, *, database: Database, clock: Clock, days: int, instance: str, batch: int = BATCH
    ) -> None:
        self._database = database
        self._clock = clock
        self._days = days
        self._shard = shard_of(instance)
        self._batch = batch
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to delete; does nothing if runs are kept forever."""
        if self._days:
            self._task = asyncio.create_task(self._prune_forever(), name="run-retention")

    async def stop(self) -> None:
        """Leave the rest to the next start."""
        if self._task is not None:
            await end_tasks(self._task)
            self._task = None

    async def prune(self) -> int:
        """Delete older runs in batches, each in its own transaction; return how many."""
        before = self._clock.now() - timedelta(days=self._days)
        removed = 0
        while True:
            async with self._database.write(background=True) as transaction:
                deleted = await repository.prune(transaction.session, before, self._batch)
                if deleted:
                    taken = {workspace: -number for workspace, number in deleted.items()}
                    await add_to_counts(transaction.session, taken, self._shard)
            removed += deleted.total()
            if deleted.total() < self._batch:
                break
            await asyncio.sleep(PAUSE_SECONDS)
        if removed:
            log.info("runs_pruned", runs=removed)
        return removed

    async def _prune_forever(self) -> None:
        while True:
            try:
                await self.prune()
            except Exception:
                log.exception("runs_not_pruned")
            await asyncio.sleep(EVERY_SECONDS)
