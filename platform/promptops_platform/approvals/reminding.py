"""Tells others that an approval waits: when it begins to, and at its reminders."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from promptops_platform.approvals import repository
from promptops_platform.approvals.tables import ApprovalRow
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.deployments.timers import Timers

# The kind of the timers that go off at reminders.
TIMER = "approval_reminder"


@dataclass(frozen=True, slots=True)
class WaitingApproval:
    """What is told of an approval. `number` counts the reminders, 0 when it begins to wait;
    `message` is as far as it may be stored."""

    type: Literal["approval.waiting", "approval.reminder"]
    row: ApprovalRow
    number: int

    @property
    def id(self) -> str:
        """The same when it is told again."""
        return f"{self.row.id}:{self.number}"


Listener = Callable[[Transaction, WaitingApproval], Awaitable[None]]


class Reminders:
    """Rooms above enter themselves in `listeners`; they are called in the transaction."""

    def __init__(self, timers: Timers, clock: Clock) -> None:
        self._timers = timers
        self._clock = clock
        self.listeners: list[Listener] = []

    async def begin(self, transaction: Transaction, row: ApprovalRow) -> None:
        """An approval begins to wait."""
        await self._tell(transaction, WaitingApproval("approval.waiting", row, 0))
        await self._set(transaction, row)

    async def end(self, transaction: Transaction, row: ApprovalRow) -> None:
        """It waits no longer."""
        if row.reminded < len(row.reminders):
            await self._timers.cancel(transaction, TIMER, row.id)

    async def go_off(self, transaction: Transaction, approval_id: str) -> None:
        """Remind others once, also where several reminders have passed."""
        row = await repository.get(transaction.session, approval_id, lock=True)
        if row is None or row.state != repository.WAITING:
            return
        now = self._clock.now()
        passed = sum(at <= now for at in _times(row))
        row.reminded = max(passed, row.reminded + 1)
        await self._tell(transaction, WaitingApproval("approval.reminder", row, row.reminded))
        await self._set(transaction, row)

    async def _set(self, transaction: Transaction, row: ApprovalRow) -> None:
        if row.reminded < len(row.reminders):
            await self._timers.set(transaction, TIMER, row.id, _times(row)[row.reminded])

    async def _tell(self, transaction: Transaction, waiting: WaitingApproval) -> None:
        for listener in self.listeners:
            await listener(transaction, waiting)


def _times(row: ApprovalRow) -> list[datetime]:
    return [row.created_at + timedelta(seconds=seconds) for seconds in row.reminders]
