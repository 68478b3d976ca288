"""Records when runs begin to wait for approvals, and when they end while waiting."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from promptops_flows.protocol.engine_client import ApprovalAsked
from promptops_flows.steps.plans import WorkflowPlan
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.execution.followers import RunFollower, RunOutcome
from promptops_platform.execution.step_records import StepRecords
from promptops_platform.execution.stored_plan import StoredPlan
from promptops_platform.execution.stored_runs import StoredRuns
from promptops_platform.execution.suspended_flow_runs import SuspendedFlowRuns
from promptops_platform.runlog.tables import RunRow
from promptops_platform.runlog.under_way import RunsUnderWay


class ApprovalRecords(Protocol):
    """Stores what people have to decide."""

    async def ask(
        self,
        transaction: Transaction,
        row: RunRow,
        plan: WorkflowPlan,
        asked: Sequence[ApprovalAsked],
    ) -> bool:
        """Record what a run waits for; False if some of it has been decided meanwhile. May be
        called repeatedly."""

    async def close(self, transaction: Transaction, run_id: str) -> None:
        """The run ends: its approvals can no longer be decided."""


@dataclass(frozen=True, slots=True)
class Suspension:
    """A run that the engine has suspended, with what is not written yet. `is_stored` says whether
    its plan is stored with everything that the caller sent."""

    outcome: RunOutcome
    plan: StoredPlan
    follower: RunFollower
    writer: StepRecords
    is_stored: bool = True


class Suspensions:
    """The room of approvals sets `records`."""

    records: ApprovalRecords

    def __init__(
        self,
        *,
        database: Database,
        under_way: RunsUnderWay,
        stored: StoredRuns,
        flow_runs: SuspendedFlowRuns,
    ) -> None:
        self._database = database
        self._under_way = under_way
        self._stored = stored
        self._flow_runs = flow_runs

    async def record(self, suspension: Suspension) -> RunRow:
        """Let the run wait, or queue it if something was decided meanwhile; from now on no caller
        waits for its end. A run that is being cancelled is left unchanged, to be ended.

        Raises RunTakenOver and DatabaseUnavailable.
        """
        sealed = None
        if not suspension.is_stored:
            sealed = await self._stored.sealed(suspension.plan)
        async with self._database.write(background=True) as transaction:
            row = await self._under_way.find_own(transaction, suspension.outcome.run_id)
            await self.write(transaction, row, suspension, sealed)
        return row

    async def write(
        self,
        transaction: Transaction,
        row: RunRow,
        suspension: Suspension,
        sealed: str | None = None,
    ) -> None:
        """Do the same for a locked run in the caller's transaction; `sealed` replaces the stored
        plan."""
        outcome, plan = suspension.outcome, suspension.plan
        await suspension.writer.write_rest(transaction, completed=False)
        await self._stored.suspend(transaction, row.id, outcome.flow_run_id, sealed)
        if row.cancel_requested_by is not None:
            return
        assert isinstance(plan.request.plan, WorkflowPlan)
        waits = await self.records.ask(transaction, row, plan.request.plan, outcome.approvals)
        self._under_way.suspend(transaction, row, waits=waits)
        if not waits:
            await self._stored.go_on(transaction, row.id)
        await suspension.follower.suspend(transaction, row)

    async def end(
        self, transaction: Transaction, run_id: str, *, flow_run_id: str | None, message: str
    ) -> None:
        """End a run that may be waiting for approvals; `flow_run_id` is its suspended flow run, if
        Prefect has one, which then shows the message."""
        await self.records.close(transaction, run_id)
        if flow_run_id is not None:
            await self._stored.hand_over(transaction, run_id)
            await self._flow_runs.end(transaction, flow_run_id, message)
