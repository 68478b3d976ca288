"""Runs that the workers of a work pool execute: they wait in Prefect until a worker claims one.

The run and its plan are in the database. The engine offers each run to Prefect: immediately, again
after Prefect or the engine was unavailable or a worker was lost, and from time to time while the
run waits, since Prefect may have lost it.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import structlog

from promptops_flows.processes.waiting import end_tasks, happens_within
from promptops_flows.protocol.engine_client import (
    EngineClient,
    EngineRefused,
    EngineUnavailable,
    Enqueue,
    Enqueued,
    RunFinished,
    Withdraw,
)
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.execution import pool_repository as repository
from promptops_platform.execution.attempt import PLAN_GONE
from promptops_platform.execution.attempts import RunAttempts
from promptops_platform.execution.engine_start import EngineStart
from promptops_platform.execution.following import cancelled, crashed
from promptops_platform.execution.repository import RUNNING
from promptops_platform.execution.stored_runs import StoredRuns
from promptops_platform.execution.tables import PooledRunRow
from promptops_platform.runlog.service import RunLog
from promptops_platform.runlog.tables import RunRow
from promptops_platform.runlog.under_way import UNCLAIMED, RunsUnderWay, RunTakenOver

log = structlog.get_logger(__name__)

CHECK_SECONDS = 1.0
AT_ONCE = 8
# If a replica ends while it offers a run, others take over the offer after this time.
OFFER_TIME = timedelta(seconds=30)
# While Prefect is unavailable.
RETRY_TIME = timedelta(seconds=1)
# How often a waiting run is checked in Prefect.
REPEAT_TIME = timedelta(seconds=60)
WAITING = "waiting"
PREFECT = "Prefect"
PLATFORM = "PromptOps"


class PooledRuns:
    """Offers runs to Prefect, and ends those that no worker has."""

    def __init__(
        self,
        *,
        database: Database,
        engine: EngineClient,
        engine_start: EngineStart,
        runs: RunLog,
        under_way: RunsUnderWay,
        stored: StoredRuns,
        attempts: RunAttempts,
        clock: Clock,
    ) -> None:
        self._database = database
        self._engine = engine
        self._engine_start = engine_start
        self._runs = runs
        self._unclaimed = under_way.of(UNCLAIMED)
        self._stored = stored
        self._attempts = attempts
        self._clock = clock
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_prefect_away = False

    def start(self) -> None:
        """Begin to offer runs."""
        self._task = asyncio.create_task(self._offer_forever(), name="pooled-runs")

    async def stop(self) -> None:
        """Stop offering runs."""
        if self._task is not None:
            await end_tasks(self._task)
            self._task = None

    def enter(self, transaction: Transaction, row: RunRow) -> None:
        """Let a run that was added in this transaction wait in its pool, if it has one."""
        if row.pool is not None:
            now = self._clock.now()
            transaction.session.add(PooledRunRow(run_id=row.id, offer_at=now))

    def wake(self) -> None:
        """There is a run to offer."""
        self._news.set()

    async def claim(self, transaction: Transaction, row: RunRow, worker_id: str) -> PooledRunRow:
        """Assign a waiting run to a worker; raises RunTakenOver."""
        await self._unclaimed.pass_on(transaction, row.id, worker_id)
        pooled = await self.find(transaction, row.id)
        pooled.offer_at, pooled.sequence = None, 0
        pooled.inner_steps = pooled.inner_shift = 0
        return pooled

    async def release(
        self, transaction: Transaction, run_id: str, worker_id: str, *, counted: bool
    ) -> None:
        """Let a worker's run wait in its pool again, for one more attempt if it is counted; raises
        RunTakenOver."""
        under_way = self._unclaimed.of(worker_id)
        await under_way.requeue(transaction, run_id, counted=counted)
        row = await under_way.pass_on(transaction, run_id, UNCLAIMED)
        pooled = await self.find(transaction, run_id)
        pooled.lost_flow_run_id, row.flow_run_id = row.flow_run_id, None
        row.flow_run_url = None
        pooled.offers += 1
        pooled.offer_at = self._clock.now()

    async def put_back(self, transaction: Transaction, run_id: str, worker_id: str) -> None:
        """Take a run away from its worker; raises RunTakenOver."""
        await self._unclaimed.of(worker_id).pass_on(transaction, run_id, UNCLAIMED)

    async def suspend(self, transaction: Transaction, row: RunRow) -> None:
        """A worker's run has begun to wait for approvals, or for its turn if they are decided
        already; no worker has it now."""
        row.instance = UNCLAIMED
        pooled = await self.find(transaction, row.id)
        # If its flow run is deleted meanwhile, Prefect gets a new one.
        pooled.offers += 1
        pooled.lost_flow_run_id = None
        pooled.offer_at = None if row.state == WAITING else self._clock.now()

    async def offer(self, transaction: Transaction, run_id: str) -> None:
        """Offer a run that continues after waiting for approvals."""
        pooled = await self.find(transaction, run_id)
        pooled.offer_at = self._clock.now()

    async def find_offered(self, transaction: Transaction, flow_run_id: str) -> RunRow | None:
        """Return the run that Prefect offers as this flow run, locked; it may have ended."""
        return await repository.run_of_flow_run(transaction.session, flow_run_id)

    async def find(self, transaction: Transaction, run_id: str) -> PooledRunRow:
        """Return the run in its pool, locked; raises RunTakenOver."""
        pooled = await repository.pooled_run(transaction.session, run_id)
        if pooled is None:
            raise RunTakenOver(run_id)
        return pooled

    async def require_attempt(
        self, transaction: Transaction, run_id: str, worker_id: str, attempt: int
    ) -> RunRow:
        """Return a run that this worker executes in that attempt, locked; raises RunTakenOver."""
        row = await self._unclaimed.of(worker_id).find_own(transaction, run_id)
        if row.attempt != attempt:
            raise RunTakenOver(run_id)
        return row

    async def cancel(self, run_id: str, by: str) -> bool:
        """End a run that no worker has; a worker ends its own run. False if the run isn't in a
        pool. Raises RunTakenOver if it has just ended."""
        async with self._database.read() as transaction:
            row = await transaction.session.get(RunRow, run_id)
        if row is None or row.pool is None:
            return False
        if row.instance == UNCLAIMED:
            with suppress(DatabaseUnavailable):
                await self._attempts.end(run_id, cancelled(by), instance=UNCLAIMED)
        return True

    async def _offer_forever(self) -> None:
        while True:
            self._news.clear()
            try:
                while await self._offer_some():
                    pass
            except DatabaseUnavailable:
                log.warning("pooled_runs_not_offered")
            except Exception:
                log.exception("pooled_runs_failed")
            await happens_within(self._news, CHECK_SECONDS)

    async def _offer_some(self) -> bool:
        """Return whether there may be more."""
        now = self._clock.now()
        async with self._database.read() as transaction:
            if not await repository.has_offers(transaction.session, now):
                return False
        async with self._database.write(background=True) as transaction:
            run_ids = await repository.take_offers(
                transaction.session, now, now + OFFER_TIME, AT_ONCE
            )
        await asyncio.gather(*(self._offer(run_id) for run_id in run_ids))
        return len(run_ids) == AT_ONCE and not self._is_prefect_away

    async def _offer(self, run_id: str) -> None:
        try:
            end = await self._offer_once(run_id)
            if end is not None:
                await self._attempts.end(run_id, end, instance=UNCLAIMED)
        except RunTakenOver:
            return  # a worker has it, or it has ended
        except EngineUnavailable as error:
            if not self._is_prefect_away:
                log.info("pooled_runs_wait", reason=error.reason)
            self._is_prefect_away = True
            with suppress(RunTakenOver):
                await self._note(run_id, RETRY_TIME)

    async def _offer_once(self, run_id: str) -> RunFinished | None:
        """Offer a run to Prefect; return how the run ends, if it ends. Raises EngineUnavailable."""
        async with self._database.read() as transaction:
            pooled = await self.find(transaction, run_id)
            row = await transaction.session.get(RunRow, run_id)
            plan = await self._stored.readable_plan(transaction, run_id)
        if row is None or row.instance != UNCLAIMED or row.state == WAITING:
            raise RunTakenOver(run_id)
        if row.status != RUNNING:
            await self._withdraw(row)
            return None
        if row.cancel_requested_by is not None:
            return cancelled(row.cancel_requested_by)
        if plan is None:
            return crashed(PLAN_GONE)
        # A retry that was started in Prefect continues as its flow run.
        first = plan.request.flow_run_id if pooled.offers == 1 else None
        request = replace(
            plan.request,
            texts=self._runs.text_policy,
            flow_run_id=row.flow_run_id or first,
            page_url=self._engine_start.page_url(plan.request),
        )
        try:
            enqueued = await self._engine.enqueue(
                Enqueue(request, pooled.offers, pooled.lost_flow_run_id)
            )
        except EngineRefused as error:
            return RunFinished("error", error=error.reason)
        self._is_prefect_away = False
        return await self._offered(row, enqueued)

    async def _offered(self, row: RunRow, enqueued: Enqueued) -> RunFinished | None:
        """Handle that the run was offered to Prefect; return how the run ends, if it ends."""
        if enqueued.cancelled:
            return cancelled(PREFECT)
        if enqueued.is_over:
            await self._offer_anew(row.id)
            return None
        try:
            await self._note(row.id, REPEAT_TIME, (enqueued.flow_run_id, enqueued.flow_run_url))
        except RunTakenOver:
            if enqueued.flow_run_id != row.flow_run_id:
                # The run has ended meanwhile, and nothing else refers to that flow run.
                await self._engine.withdraw(Withdraw(enqueued.flow_run_id, PLATFORM))
        return None

    async def _offer_anew(self, run_id: str) -> None:
        """Offer a run again whose flow run has ended before a worker took it: Prefect gets a new
        one."""
        async with self._database.write(background=True) as transaction:
            row = await self._unclaimed.find_own(transaction, run_id)
            pooled = await self.find(transaction, run_id)
            pooled.offers += 1
            row.flow_run_id = row.flow_run_url = None
            pooled.offer_at = self._clock.now()

    async def _withdraw(self, row: RunRow) -> None:
        """Withdraw the offer of a run that has ended before a worker took it."""
        if row.flow_run_id is not None:
            await self._engine.withdraw(Withdraw(row.flow_run_id, row.cancelled_by or PLATFORM))
            self._is_prefect_away = False
        async with self._database.write(background=True) as transaction:
            await repository.end(transaction.session, row.id, self._clock.now(), withdraw=False)

    async def _note(
        self, run_id: str, again: timedelta, flow_run: tuple[str, str | None] | None = None
    ) -> None:
        async with self._database.write(background=True) as transaction:
            row = await self._unclaimed.find_own(transaction, run_id)
            pooled = await self.find(transaction, run_id)
            pooled.offer_at = self._clock.now() + again
            if flow_run is not None and row.flow_run_id != flow_run[0]:
                pooled.lost_flow_run_id = None
                await self._unclaimed.hand_over(transaction, run_id, *flow_run)
