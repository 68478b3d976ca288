"""Decides which run executes which flow run: exactly one, however often and to whichever replica it
is reported."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.deployments import repository
from promptops_platform.deployments.kinds import DueRun
from promptops_platform.deployments.tables import FlowRunClaimRow
from promptops_platform.execution.detached import Also
from promptops_platform.runlog.tables import RunRow


class AlreadyClaimed(Exception):
    """Another run executes the flow run."""


@dataclass(frozen=True, slots=True)
class Claim:
    """`run_id` executes the flow run that was created for `scheduled_at`."""

    flow_run_id: str
    scheduled_at: datetime
    run_id: str


class FlowRunClaims:
    """Claims are kept as long as their runs are in the log."""

    def claiming(self, due: DueRun) -> Also:
        """Return a callback for `DetachedRuns.submit` that claims the flow run in the run's
        transaction. The callback raises AlreadyClaimed."""

        async def claim(transaction: Transaction, run: RunRow) -> None:
            row = FlowRunClaimRow(
                flow_run_id=due.flow_run_id,
                kind=due.kind,
                ref=due.ref,
                scheduled_at=due.scheduled_at,
                run_id=run.id,
            )
            if not await repository.add_claim(transaction.session, row):
                raise AlreadyClaimed(due.flow_run_id)

        return claim

    async def require_free(self, transaction: Transaction, due: DueRun) -> None:
        """Raises AlreadyClaimed if a run executes or has executed the flow run."""
        if await repository.claimed(transaction.session, [due.flow_run_id]):
            raise AlreadyClaimed(due.flow_run_id)

    async def claimed(self, transaction: Transaction, flow_run_ids: Collection[str]) -> set[str]:
        """Return those of these flow runs that a run executes or has executed."""
        return await repository.claimed(transaction.session, flow_run_ids)

    async def unstarted(self, transaction: Transaction, flow_run_id: str) -> str | None:
        """Return the run that has claimed the flow run and ended before executing it."""
        return await repository.ended_unstarted(transaction.session, flow_run_id)

    async def last(self, transaction: Transaction, kind: str, ref: str, most: int) -> list[Claim]:
        """Return the last executed flow runs of an owner, latest first."""
        rows = await repository.last_claims(transaction.session, kind, ref, most)
        return [Claim(row.flow_run_id, row.scheduled_at, row.run_id) for row in rows]
