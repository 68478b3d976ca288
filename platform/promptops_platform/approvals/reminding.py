"""Notifies listeners that an approval waits: at its start and at its reminders."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from promptops_platform.approvals import repository
from promptops_platform.approvals.tables import ApprovalRow
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.deployments.timers import Timers

# The kind of the timers that fire at reminders.
TIMER = "approval_reminder"


@dataclass(frozen=True, slots=True)
class WaitingApproval:
    """The event that listeners get. `number` counts the reminders, and is 0 at the start; `message`
    is the storable form."""

    type: Literal["approval.waiting", "approval.reminder"]
    row: ApprovalRow
    number: int

    @property
    def id(self) -> str:
        """Return an id that is the same when the event is repeated."""
        return f"{self.row.id}:{self.number}"


Listener = Callable[[Transaction, WaitingApproval], Awaitable[None]]


class Reminders:
    """Rooms above register themselves in `listeners`, which are called in the transaction."""

    def __init__(self, timers: Timers, clock: Clock) -> None:
        self._timers = timers
        self._clock = clock
        self.listeners: list[Listener] = []

    async def begin(self, transaction: Transaction, row: ApprovalRow) -> None:
        """Notify the listeners of a new approval, and set its first timer."""
        await self._tell(transaction, WaitingApproval("approval.waiting", row, 0))
        await self._set(transaction, row)

    async def end(self, transaction: Transaction, row: ApprovalRow) -> None:
        """Cancel the timer of an approval that no longer waits."""
        if row.reminded < len(row.reminders):
            await self._timers.cancel(transaction, TIMER, row.id)

    async def fire(self, transaction: Transaction, approval_id: str) -> None:
        """Remind once, even if several reminders have passed."""
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
