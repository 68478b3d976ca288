"""Gives the runs of lost workers to others."""

import asyncio
import time
from datetime import timedelta

import structlog

from promptops_flows.processes.waiting import end_tasks
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.execution.attempts import RunAttempts
from promptops_platform.execution.following import cancelled
from promptops_platform.execution.pooled_runs import PooledRuns
from promptops_platform.runlog.under_way import RunTakenOver
from promptops_platform.workers import repository
from promptops_platform.workers.service import WorkerService

log = structlog.get_logger(__name__)

CHECK_SECONDS = 1.0
FORGOTTEN_AFTER = timedelta(minutes=10)


class LostWorkers:
    """Checks every second. While this platform or its database was unavailable, no worker could
    report, so none counts as lost directly afterwards."""

    def __init__(
        self,
        *,
        database: Database,
        workers: WorkerService,
        pooled: PooledRuns,
        attempts: RunAttempts,
        clock: Clock,
    ) -> None:
        self._database = database
        self._workers = workers
        self._pooled = pooled
        self._attempts = attempts
        self._clock = clock
        self._away_until = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start checking."""
        self._away_until = time.monotonic()
        self._task = asyncio.create_task(self._check_forever(), name="lost-workers")

    async def stop(self) -> None:
        """Stop checking."""
        if self._task is not None:
            await end_tasks(self._task)
            self._task = None

    async def release_lost(self) -> int:
        """Make the runs of lost workers wait for others; returns how many."""
        now = self._clock.now()
        async with self._database.read() as transaction:
            lost = await repository.lost(transaction.session, now - self._workers.lost_after)
        return sum([await self._release(worker_id) for worker_id in lost])

    async def _release(self, worker_id: str) -> int:
        cancelled_runs: list[tuple[str, str]] = []
        async with self._database.write(background=True) as transaction:
            rows = await repository.runs_of(transaction.session, worker_id)
            for row in rows:
                if row.cancel_requested_by is not None:
                    cancelled_runs.append((row.id, row.cancel_requested_by))
                else:
                    await self._pooled.release(transaction, row.id, worker_id, counted=True)
        for run_id, by in cancelled_runs:
            try:
                await self._attempts.end(run_id, cancelled(by), instance=worker_id)
            except RunTakenOver:
                continue  # it has just ended
        if rows:
            log.warning("worker_lost", worker=worker_id, runs=len(rows))
            self._pooled.wake()
        return len(rows)

    async def _check_forever(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                if time.monotonic() - self._away_until > self._workers.lost_after.total_seconds():
                    await self.release_lost()
                await self._forget()
            except DatabaseUnavailable:
                self._away_until = time.monotonic()
            except Exception:
                log.exception("lost_workers_failed")

    async def _forget(self) -> None:
        before = self._clock.now() - FORGOTTEN_AFTER
        async with self._database.read() as transaction:
            rows = await repository.workers(transaction.session)
        if any(row.seen_at < before for row in rows):
            async with self._database.write(background=True) as transaction:
                await repository.forget(transaction.session, before)
