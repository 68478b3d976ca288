"""Records the approvals that suspended runs wait for."""

from collections.abc import Sequence
from datetime import timedelta

from promptops_flows.protocol.engine_client import ApprovalAsked
from promptops_flows.steps.approval import Approval
from promptops_flows.steps.plans import WorkflowPlan
from promptops_platform.approvals import repository
from promptops_platform.approvals.messages import ApprovalMessages
from promptops_platform.approvals.reminding import Reminders
from promptops_platform.approvals.tables import ApprovalRow
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.deployments.timers import Timers
from promptops_platform.ids import new_id
from promptops_platform.runlog.tables import RunRow

# The kind of the timers that fire at deadlines.
TIMER = "approval"


class AskedApprovals:
    """Called by the execution when runs are suspended."""

    def __init__(
        self, messages: ApprovalMessages, timers: Timers, reminders: Reminders, clock: Clock
    ) -> None:
        self._messages = messages
        self._reminders = reminders
        self._timers = timers
        self._clock = clock

    async def ask(
        self,
        transaction: Transaction,
        row: RunRow,
        plan: WorkflowPlan,
        asked: Sequence[ApprovalAsked],
    ) -> bool:
        """Record what a run waits for; False if some of it has been decided meanwhile.
        Idempotent."""
        existing = await repository.of_run(transaction.session, row.id)
        for item in asked:
            if item.index not in existing:
                approval = await self._approval(row, plan, item)
                transaction.session.add(approval)
                if approval.deadline_at is not None:
                    await self._timers.set(transaction, TIMER, approval.id, approval.deadline_at)
                await self._reminders.begin(transaction, approval)
        states = [existing[item.index].state for item in asked if item.index in existing]
        return all(state == repository.WAITING for state in states)

    async def close(self, transaction: Transaction, run_id: str) -> None:
        """Close the approvals of a run that ends: they can't be decided any more."""
        for row in (await repository.of_run(transaction.session, run_id)).values():
            if row.state == repository.WAITING:
                await self._reminders.end(transaction, row)
                if row.deadline_at is not None:
                    await self._timers.cancel(transaction, TIMER, row.id)
        await repository.close(transaction.session, run_id)

    async def _approval(self, run: RunRow, plan: WorkflowPlan, asked: ApprovalAsked) -> ApprovalRow:
        action = plan.steps[asked.index - 1].action
        assert isinstance(action, Approval)
        now = self._clock.now()
        deadline = action.deadline_seconds
        row = ApprovalRow(
            id=new_id(),
            run_id=run.id,
            position=asked.index,
            workspace_id=run.workspace_id,
            workflow=run.ref_key,
            step=self._messages.texts.name(asked.name),
            asked_by=run.user_name,
            scope=run.scope,
            state=repository.WAITING,
            form=dict(action.form),
            roles=list(action.roles),
            members=list(action.members),
            allow_link=action.allow_link,
            on_deadline=action.on_deadline,
            reminders=list(action.reminders),
            reminded=0,
            deadline_at=None if deadline is None else now + timedelta(seconds=deadline),
            created_at=now,
        )
        await self._messages.put(row, asked.message)
        return row
