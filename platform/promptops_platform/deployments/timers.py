"""Timers: call something once at a given time, even if platform or Prefect are unavailable then."""

from datetime import datetime, timedelta

from promptops_flows.protocol.deployment_messages import Owner
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.deployments import repository
from promptops_platform.deployments.kinds import (
    DeploymentKinds,
    DueAnswer,
    DueRun,
    done,
    refused,
)
from promptops_platform.deployments.pushing import DeploymentPushes, pushing
from promptops_platform.deployments.tables import TimerRow

# Prefect's times are less precise than the database's.
_SAME = timedelta(seconds=1)


class Timers:
    """At most one timer per kind and ref."""

    def __init__(
        self, *, database: Database, kinds: DeploymentKinds, pushes: DeploymentPushes
    ) -> None:
        self._database = database
        self._kinds = kinds
        self._pushes = pushes

    async def set(self, transaction: Transaction, kind: str, ref: str, at: datetime) -> None:
        """Set the timer to this time, replacing an earlier one."""
        await transaction.session.merge(TimerRow(kind=kind, ref=ref, at=at))
        pushing(self._pushes, transaction, Owner(kind, ref))

    async def cancel(self, transaction: Transaction, kind: str, ref: str) -> None:
        """Cancel the timer, if there is one."""
        await repository.remove_timer(transaction.session, kind, ref)
        pushing(self._pushes, transaction, Owner(kind, ref))

    async def fire(self, due: DueRun) -> DueAnswer:
        """Call the timer's callback, in the transaction that deletes the timer."""
        async with self._database.write() as transaction:
            row = await repository.find_timer(transaction.session, due.kind, due.ref, lock=True)
            if row is None:
                return done("Nothing was left to do")
            if due.scheduled_at + _SAME < row.at:
                return refused("The timer was moved to another time")
            await transaction.session.delete(row)
            await self._kinds.timers[due.kind](transaction, due.ref)
        return done("Done")
