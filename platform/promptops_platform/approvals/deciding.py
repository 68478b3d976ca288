"""Decides approvals in two short transactions: the first reads, the second records."""

from dataclasses import dataclass
from typing import Any

import structlog

from promptops_flows.protocol.engine_client import Checkpoint, StepFinished
from promptops_flows.steps.approval import Decision, decided
from promptops_flows.steps.context import StepOutput
from promptops_flows.steps.plans import WorkflowPlan
from promptops_flows.steps.step import Step
from promptops_platform.access.actor import SYSTEM, Actor
from promptops_platform.approvals import repository
from promptops_platform.approvals.asking import TIMER
from promptops_platform.approvals.deciders import Deciders, deciders_of
from promptops_platform.approvals.forms import check_values
from promptops_platform.approvals.messages import ApprovalMessages
from promptops_platform.approvals.reminding import Reminders
from promptops_platform.approvals.service import ApprovalService
from promptops_platform.approvals.tables import ApprovalRow
from promptops_platform.audit.service import AuditTrail
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.deployments.timers import Timers
from promptops_platform.errors import Conflict, Forbidden, NotFound
from promptops_platform.execution.decisions import WaitingRuns
from promptops_platform.runlog.latency import milliseconds_between
from promptops_platform.runlog.rows import LONGEST_NAME
from promptops_platform.runlog.tables import RunRow

log = structlog.get_logger(__name__)

# The decider if nobody has decided in time.
DEADLINE = "the deadline"
ACTIONS = {"approved": "approve", "rejected": "reject"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A person's decision; `by` is the person's name in runs and approvals."""

    decision: Decision
    by: str
    comment: str
    values: dict[str, Any]


class ApprovalDecisions:
    """The first decision counts. It resumes the run in the same transaction."""

    def __init__(
        self,
        *,
        database: Database,
        approvals: ApprovalService,
        deciders: Deciders,
        messages: ApprovalMessages,
        waiting: WaitingRuns,
        timers: Timers,
        reminders: Reminders,
        audit: AuditTrail,
        clock: Clock,
    ) -> None:
        self._database = database
        self._approvals = approvals
        self._deciders = deciders
        self._messages = messages
        self._waiting = waiting
        self._timers = timers
        self._reminders = reminders
        self._audit = audit
        self._clock = clock

    async def decide(
        self,
        approval_id: str,
        decision: Decision,
        comment: str,
        values: dict[str, Any],
        *,
        actor: Actor,
    ) -> ApprovalRow:
        """Raises NotFound, Forbidden, BadRequest for values that don't match the form, and Conflict
        if it is already decided or its run has ended."""
        async with self._database.read() as transaction:
            row = await self._approvals.get(transaction, approval_id, actor=actor)
        if not self._deciders.may_decide(row, actor=actor):
            raise Forbidden(f"forbidden: {deciders_of(row)} may decide")
        return await self.record(row, Verdict(decision, actor.name, comment, values), actor=actor)

    async def record(self, row: ApprovalRow, verdict: Verdict, *, actor: Actor) -> ApprovalRow:
        """Record the decision of a permitted person; raises what `decide` raises."""
        refuse_decided(row)
        if verdict.decision == "approved" or verdict.values:
            await check_values(row.form, verdict.values)
        async with self._database.read() as transaction:
            step, version = await self._step(transaction, row)
        async with self._database.write() as transaction:
            return await self._record(transaction, row, step, version, verdict, actor)

    async def deadline(self, transaction: Transaction, approval_id: str) -> None:
        """Apply the definition's decision for a deadline that has passed."""
        row = await repository.get(transaction.session, approval_id)
        if row is None:
            return
        decision: Decision = "approved" if row.on_deadline == "approve" else "rejected"
        verdict = Verdict(decision, DEADLINE, "", {})
        try:
            step, version = await self._step(transaction, row)
            await self._record(transaction, row, step, version, verdict, SYSTEM)
        except (Conflict, NotFound) as error:
            log.info("deadline_passed_over", approval=row.id, reason=error.sentence)

    async def _record(
        self,
        transaction: Transaction,
        row: ApprovalRow,
        step: Step,
        version: str,
        verdict: Verdict,
        actor: Actor,
    ) -> ApprovalRow:
        # Lock the run first, in the same order as all other changes of a run.
        run = await self._waiting.lock(transaction, row.run_id)
        locked = await repository.get(transaction.session, row.id, lock=True)
        if run is None or locked is None:
            raise NotFound(f"approval {row.id!r} was deleted with its run")
        refuse_decided(locked)
        _refuse_ending(run)
        output = decided(step, verdict.decision, verdict.by, verdict.comment, verdict.values)
        checkpoint = Checkpoint(row.position, step.name, step.type, output)
        finished = self._finished(locked, step, version, output)
        await self._waiting.decide(transaction, run, checkpoint, finished)
        if locked.deadline_at is not None:
            await self._timers.cancel(transaction, TIMER, locked.id)
        await self._reminders.end(transaction, locked)
        await repository.remove_links(transaction.session, locked.id)
        await self._settle(transaction, locked, verdict, actor)
        return locked

    async def _step(self, transaction: Transaction, row: ApprovalRow) -> tuple[Step, str]:
        """Return the step, and the version of its workflow."""
        plan = await self._waiting.plan(transaction, row.run_id)
        if plan is None or not isinstance(plan.request.plan, WorkflowPlan):
            raise Conflict(
                f"run {row.run_id!r} can't continue: its plan is missing, or was encrypted with "
                "another secret key; cancel it and start it again"
            )
        return plan.request.plan.steps[row.position - 1], plan.request.version

    def _finished(
        self, row: ApprovalRow, step: Step, version: str, output: StepOutput
    ) -> StepFinished:
        """Return the step for the log: its duration is the time that people took."""
        (note,) = output.notes
        failures = (output.text,) if output.failed else ()
        return StepFinished(
            index=row.position,
            name=step.name,
            type=step.type,
            state=output.side.capitalize(),
            started_at=row.created_at.isoformat(),
            duration_ms=milliseconds_between(row.created_at, self._clock.now()),
            attempts=1,
            input=self._messages.shown(row),
            output=None if output.failed else output.text,
            error=output.text if output.failed else None,
            summary=note if output.failed else None,
            notes=(note,),
            failures=failures,
            failure_summaries=(note,) if failures else (),
            version=version,
        )

    async def _settle(
        self, transaction: Transaction, row: ApprovalRow, verdict: Verdict, actor: Actor
    ) -> None:
        texts = self._messages.texts
        row.state, row.sealed = verdict.decision, None
        row.decided_at = self._clock.now()
        row.decided_by = verdict.by[:LONGEST_NAME]
        row.comment = await texts.text(verdict.comment)
        row.answers = await texts.inputs(verdict.values)
        self._audit.record(
            transaction,
            actor=actor,
            action=ACTIONS[verdict.decision],
            resource="approval",
            resource_id=row.id,
            key=row.workflow,
            summary=f"{verdict.decision} step {row.position} of run {row.run_id}",
            workspace_id=row.workspace_id,
            after={
                "state": verdict.decision,
                "by": verdict.by,
                "run": row.run_id,
                "step": row.step,
                "message": row.message,
                "comment": row.comment,
                "values": row.answers,
            },
        )


def refuse_decided(row: ApprovalRow) -> None:
    """Raises Conflict for an approval that no longer waits."""
    if row.state == repository.WAITING:
        return
    fields = {"state": row.state, "decided_by": row.decided_by}
    if row.state == repository.CLOSED:
        raise Conflict(f"run {row.run_id!r} ended before somebody decided", fields=fields)
    at = row.decided_at.isoformat(timespec="seconds") if row.decided_at else ""
    raise Conflict(f"it was {row.state} by {row.decided_by} at {at}", fields=fields)


def _refuse_ending(run: RunRow) -> None:
    if run.status != "running":
        raise Conflict(f"run {run.id!r} is {run.state} and can't be decided any more")
    if run.cancel_requested_by is not None:
        raise Conflict(f"run {run.id!r} is being cancelled by {run.cancel_requested_by}")
