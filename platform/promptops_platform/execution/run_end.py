"""Records the ends of runs, retrying until the database accepts them."""

import asyncio
from dataclasses import dataclass

import structlog

from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.execution import pool_repository as repository
from promptops_platform.execution.followers import RunFollower, RunOutcome
from promptops_platform.execution.step_records import StepRecords
from promptops_platform.execution.stored_plan import StoredPlan
from promptops_platform.execution.stored_runs import StoredRuns
from promptops_platform.execution.suspending import Suspensions
from promptops_platform.runlog.service import RunLog
from promptops_platform.runlog.under_way import UNCLAIMED, RunTakenOver

log = structlog.get_logger(__name__)

CLOSE_RETRY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class RunEnd:
    """`writer` has what is not written yet; `plan` is set if it is stored with credentials that the
    caller sent for this run only. `flow_run_id` is set if Prefect shows the run's flow run as
    suspended. `instance` executed the run, by default this platform."""

    outcome: RunOutcome
    follower: RunFollower
    writer: StepRecords | None = None
    plan: StoredPlan | None = None
    flow_run_id: str | None = None
    instance: str | None = None


class RunEnds:
    """`pending` are the ends that are not in the database yet."""

    def __init__(
        self,
        database: Database,
        runs: RunLog,
        stored: StoredRuns,
        suspensions: Suspensions,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._database = database
        self._runs = runs
        self._stored = stored
        self._suspensions = suspensions
        self.pending: set[asyncio.Task[None]] = set()

    async def record(self, end: RunEnd) -> None:
        """Record the end, together with what is not written yet.

        Raises DatabaseUnavailable; the write is then retried until it succeeds or the platform
        ends. Nothing is recorded if another platform has taken the run over.
        """
        try:
            await self._write(end)
        except DatabaseUnavailable:
            retry = asyncio.create_task(self._write_later(end))
            self.pending.add(retry)
            retry.add_done_callback(self.pending.discard)
            raise

    async def write(self, transaction: Transaction, end: RunEnd) -> None:
        """Do the same in the caller's transaction; raises RunTakenOver."""
        outcome = end.outcome
        completed = outcome.end.state == "completed"
        # First, because deleting a workspace locks the rows in this order.
        await end.follower.close(transaction, outcome)
        if end.writer is not None:
            await end.writer.write_rest(transaction, completed=completed)
        if end.flow_run_id is not None or (end.plan and end.plan.has_approvals):
            await self._suspensions.end(
                transaction,
                outcome.run_id,
                flow_run_id=end.flow_run_id,
                message=self._runs.text_policy.redact(outcome.end.error or ""),
            )
        await self._runs.close(transaction, outcome.run_id, outcome.end, instance=end.instance)
        if end.instance is not None:
            await repository.end(
                transaction.session,
                outcome.run_id,
                self._clock.now(),
                withdraw=end.instance == UNCLAIMED,
            )
        await self._stored.end(transaction, outcome.run_id, completed=completed)
        if end.plan is not None and not completed:
            await self._stored.drop_credentials(transaction, end.plan)

    async def _write_later(self, end: RunEnd) -> None:
        while True:
            await asyncio.sleep(CLOSE_RETRY_SECONDS)
            try:
                await self._write(end)
            except DatabaseUnavailable:
                continue
            return

    async def _write(self, end: RunEnd) -> None:
        try:
            async with self._database.write(background=True) as transaction:
                await self.write(transaction, end)
        except RunTakenOver:
            log.warning("run_taken_over", run=end.outcome.run_id)
