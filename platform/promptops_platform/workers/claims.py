"""Assigns runs to workers, and takes them back."""

from dataclasses import replace

import structlog

from promptops_flows.protocol.engine_client import RunFinished, RunRequest
from promptops_platform.access.actor import Actor
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import Conflict, NotFound
from promptops_platform.execution.attempt import Attempt, AttemptReader, CantGoOn
from promptops_platform.execution.attempts import RunAttempts
from promptops_platform.execution.engine_start import EngineStart
from promptops_platform.execution.following import InnerPlaces
from promptops_platform.execution.pooled_runs import PooledRuns
from promptops_platform.execution.prefect_retries import PrefectRetries
from promptops_platform.execution.stored_runs import StoredRuns
from promptops_platform.runlog.tables import RunRow
from promptops_platform.runlog.under_way import UNCLAIMED, RunTakenOver
from promptops_platform.workers.repository import QUEUED
from promptops_platform.workers.service import WorkerService

log = structlog.get_logger(__name__)


class RunClaims:
    """Opens its own transactions."""

    def __init__(
        self,
        *,
        database: Database,
        workers: WorkerService,
        pooled: PooledRuns,
        stored: StoredRuns,
        reader: AttemptReader,
        attempts: RunAttempts,
        engine_start: EngineStart,
        prefect_retries: PrefectRetries,
    ) -> None:
        self._database = database
        self._workers = workers
        self._pooled = pooled
        self._stored = stored
        self._reader = reader
        self._attempts = attempts
        self._engine_start = engine_start
        self._prefect_retries = prefect_retries

    async def claim(
        self, worker_id: str, flow_run_id: str, *, is_retry: bool, actor: Actor
    ) -> tuple[int, RunRequest]:
        """Assign the run of that flow run to the worker; returns its attempt and everything that it
        needs.

        Raises NotFound if no run with that id waits now, and Conflict if the worker can't have the
        run. With `is_retry`, somebody has pressed Retry in Prefect: if the run has ended, its retry
        waits from now on; a Conflict with `not_retried` says why it can't be retried.
        """
        run_id = await self._take(worker_id, flow_run_id, actor)
        if run_id is None:
            if is_retry:
                await self._retry(worker_id, flow_run_id, actor)
            raise NotFound(f"no run is waiting as flow run {flow_run_id!r}")
        try:
            attempt = await self._reader.next(run_id, instance=worker_id)
        except CantGoOn as error:
            await self._give_up(run_id, worker_id, error.end)
            raise Conflict(f"run {run_id!r} can't continue: {error.end.error}") from error
        except RunTakenOver as error:
            raise Conflict(f"run {run_id!r} has ended or now belongs to another worker") from error
        await self._keep_places(run_id, attempt)
        log.info("run_claimed", run=run_id, worker=worker_id, attempt=attempt.number)
        request = replace(attempt.request, flow_run_id=flow_run_id)
        return attempt.number, replace(request, page_url=self._engine_start.page_url(request))

    async def hand_back(self, worker_id: str, run_id: str, attempt: int, *, actor: Actor) -> None:
        """Make another worker continue a run; raises Conflict if it doesn't belong to that
        worker."""
        try:
            async with self._database.write() as transaction:
                await self._workers.find(transaction, worker_id, actor=actor)
                await self._pooled.require_attempt(transaction, run_id, worker_id, attempt)
                await self._pooled.release(transaction, run_id, worker_id, counted=False)
        except RunTakenOver as error:
            raise Conflict(f"run {run_id!r} has ended or now belongs to another worker") from error
        self._pooled.wake()

    async def _take(self, worker_id: str, flow_run_id: str, actor: Actor) -> str | None:
        async with self._database.write() as transaction:
            worker = await self._workers.find(transaction, worker_id, actor=actor)
            row = await self._pooled.find_offered(transaction, flow_run_id)
            if row is None:
                return None
            if row.pool != worker.pool:
                raise Conflict(f"run {row.id!r} belongs to pool {row.pool!r}, not {worker.pool!r}")
            if row.state != QUEUED or row.instance != UNCLAIMED or row.cancel_requested_by:
                raise Conflict(f"run {row.id!r} has ended, waits, or belongs to another worker")
            await self._pooled.claim(transaction, row, worker_id)
            await self._stored.hand_over(transaction, row.id)
            return row.id

    async def _give_up(self, run_id: str, worker_id: str, end: RunFinished) -> None:
        """Without an owner, so that Prefect is notified of the end; otherwise it would offer the
        run again and again."""
        async with self._database.write() as transaction:
            await self._pooled.put_back(transaction, run_id, worker_id)
        await self._attempts.end(run_id, end, instance=UNCLAIMED)
        self._pooled.wake()

    async def _retry(self, worker_id: str, flow_run_id: str, actor: Actor) -> None:
        async with self._database.write() as transaction:
            worker = await self._workers.find(transaction, worker_id, actor=actor)
            ended = await self._stored.find_by_flow_run(transaction, flow_run_id)
            row = await transaction.session.get(RunRow, ended[0]) if ended else None
            if row is not None and row.pool != worker.pool:
                raise Conflict(f"run {row.id!r} belongs to pool {row.pool!r}, not {worker.pool!r}")
        reason = await self._prefect_retries.retry(flow_run_id)
        if reason is not None:
            raise Conflict(reason, fields={"not_retried": True})

    async def _keep_places(self, run_id: str, attempt: Attempt) -> None:
        inner = InnerPlaces.after(attempt.request.plan, attempt.logged)
        if inner is None:
            return
        async with self._database.write() as transaction:
            pooled = await self._pooled.find(transaction, run_id)
            pooled.inner_steps, pooled.inner_shift = inner.steps, inner.shift
