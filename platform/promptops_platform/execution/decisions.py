"""Runs that wait for approvals and continue after a decision."""

from promptops_flows.protocol.engine_client import Checkpoint, StepFinished
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.execution.detached import DetachedRuns
from promptops_platform.execution.pooled_runs import PooledRuns
from promptops_platform.execution.stored_plan import StoredPlan
from promptops_platform.execution.stored_runs import StoredRuns
from promptops_platform.runlog.service import RunLog
from promptops_platform.runlog.tables import RunRow
from promptops_platform.runlog.under_way import RunsUnderWay


class WaitingRuns:
    """A decision is stored as a checkpoint of its step, in the transaction that lets the run
    continue, so that any platform that executes the run has the decision."""

    def __init__(
        self,
        *,
        runs: RunLog,
        under_way: RunsUnderWay,
        stored: StoredRuns,
        detached: DetachedRuns,
        pooled: PooledRuns,
    ) -> None:
        self._runs = runs
        self._under_way = under_way
        self._stored = stored
        self._detached = detached
        self._pooled = pooled

    async def lock(self, transaction: Transaction, run_id: str) -> RunRow | None:
        """Lock the run of an approval until the commit."""
        return await self._under_way.lock(transaction, run_id)

    async def plan(self, transaction: Transaction, run_id: str) -> StoredPlan | None:
        """Return the plan of a run; None if it can't be read."""
        return await self._stored.readable_plan(transaction, run_id)

    async def decide(
        self, transaction: Transaction, row: RunRow, checkpoint: Checkpoint, step: StepFinished
    ) -> None:
        """Record the decision on a step of a locked run, and let the run continue if it waits.

        A run that is executing at the moment finds the decision when it would start to wait."""
        rows = await self._stored.sealed_checkpoints(row.id, [checkpoint])
        await self._stored.add_checkpoints(transaction, rows)
        await self._runs.add_step(transaction, row.id, step)
        if row.state != "waiting":
            return
        self._under_way.resume(transaction, row)
        await self._stored.go_on(transaction, row.id)
        if row.pool is not None:
            await self._pooled.offer(transaction, row.id)

        async def take_up() -> None:
            self._detached.take_up(row)

        transaction.after_commit(take_up)
