"""Timers: something is to happen once at a time, also where platform or Prefect are away then."""

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

# Prefect keeps less of a second than the database does.
_SAME = timedelta(seconds=1)


class Timers:
    """At most one of a kind and ref."""

    def __init__(
        self, *, database: Database, kinds: DeploymentKinds, pushes: DeploymentPushes
    ) -> None:
        self._database = database
        self._kinds = kinds
        self._pushes = pushes

    async def set(self, transaction: Transaction, kind: str, ref: str, at: datetime) -> None:
        """Have the timer go off at a time instead of any other."""
        await transaction.session.merge(TimerRow(kind=kind, ref=ref, at=at))
        pushing(self._pushes, transaction, Owner(kind, ref))

    async def cancel(self, transaction: Transaction, kind: str, ref: str) -> None:
        """Have it never go off; harmless where there is none."""
        await repository.remove_timer(transaction.session, kind, ref)
        pushing(self._pushes, transaction, Owner(kind, ref))

    async def go_off(self, due: DueRun) -> DueAnswer:
        """Do what is to be done, in the transaction that forgets the timer."""
        async with self._database.write() as transaction:
            row = await repository.find_timer(transaction.session, due.kind, due.ref, lock=True)
            if row is None:
                return done("Nothing was left to do")
            if due.scheduled_at + _SAME < row.at:
                return refused("The timer was moved to another time")
            await transaction.session.delete(row)
            await self._kinds.timers[due.kind](transaction, due.ref)
        return done("Done")
