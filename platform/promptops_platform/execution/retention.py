"""Deletes the data for retries of runs that can no longer be retried, and expired responses to
idempotent requests."""

import asyncio

import structlog

from promptops_flows.processes.waiting import end_tasks
from promptops_platform.db.unit_of_work import Database
from promptops_platform.execution.idempotency import IdempotentRuns
from promptops_platform.execution.stored_runs import BATCH, StoredRuns

log = structlog.get_logger(__name__)

EVERY_SECONDS = 600


class RetryRetention:
    """Every replica deletes; batches that another replica deletes are skipped."""

    def __init__(self, database: Database, stored: StoredRuns, idempotent: IdempotentRuns) -> None:
        self._database = database
        self._stored = stored
        self._idempotent = idempotent
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to delete."""
        self._task = asyncio.create_task(self._prune_forever(), name="retry-retention")

    async def stop(self) -> None:
        """Leave the rest to the next start."""
        if self._task is not None:
            await end_tasks(self._task)
            self._task = None

    async def prune(self) -> int:
        """Delete everything that is due, in batches; return the number of runs."""
        removed = 0
        while True:
            async with self._database.write(background=True) as transaction:
                deleted = await self._stored.prune(transaction)
            removed += deleted
            if deleted < BATCH:
                return removed

    async def prune_keys(self) -> int:
        """Delete all expired idempotency keys, in batches; return how many."""
        removed = 0
        while True:
            async with self._database.write(background=True) as transaction:
                deleted = await self._idempotent.prune(transaction)
            removed += deleted
            if not deleted:
                return removed

    async def _prune_forever(self) -> None:
        while True:
            try:
                await self.prune()
                await self.prune_keys()
            except Exception:
                log.exception("checkpoints_not_pruned")
            await asyncio.sleep(EVERY_SECONDS)
