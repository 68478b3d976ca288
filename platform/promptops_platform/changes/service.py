"""Records changes for the other replicas and rooms, in the transaction that makes them."""

from collections.abc import Sequence
from typing import Protocol

from promptops_platform.changes import repository
from promptops_platform.changes.feed import Feed
from promptops_platform.changes.schemas import Change, NumberedChange
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.ids import new_id

# Longest time that an answer waits for this replica to have applied its own change.
APPLY_SECONDS = 2.0


class ChangeListener(Protocol):
    """Writes something of its own in the transaction of a change."""

    async def recorded(self, transaction: Transaction, changes: Sequence[Change]) -> None:
        """Called right before the commit; an error rolls the changes back."""


class ChangeLog:
    """Records changes and, after the commit, waits until this replica serves them."""

    def __init__(self, feed: Feed, clock: Clock) -> None:
        self._feed = feed
        self._clock = clock
        self._listeners: list[ChangeListener] = []

    def listen(self, listener: ChangeListener) -> None:
        """Add a listener, before the first change."""
        self._listeners.append(listener)

    async def seed(self, transaction: Transaction) -> None:
        """Make the counter row of a new database."""
        await repository.ensure_state(transaction.session, new_id())
        await transaction.session.flush()

    async def renew_epoch(self, transaction: Transaction) -> None:
        """Begin another feed: everyone who follows this one fetches everything again."""
        _, epoch = await repository.current(transaction.session)
        await repository.renew_epoch(transaction.session, epoch, new_id())

    def record(self, transaction: Transaction, change: Change) -> None:
        """Write `change` with the commit.

        The last statements before the commit lock the counter row, because every other writer
        waits for it until then.
        """
        pending = transaction.notes.get(self)
        if pending is None:
            pending = transaction.notes[self] = _Pending(self, transaction)
        pending.changes.append(change)

    def revision_of(self, transaction: Transaction) -> int:
        """The revision of the last change of a transaction that is committed."""
        pending: _Pending = transaction.notes[self]
        return pending.revision

    async def _write(self, transaction: Transaction, pending: "_Pending") -> None:
        await transaction.session.flush()
        for listener in self._listeners:
            await listener.recorded(transaction, pending.changes)
        pending.revision = await repository.append(
            transaction.session, pending.changes, self._clock.now()
        )

    async def _apply(self, pending: "_Pending") -> None:
        first = pending.revision - len(pending.changes) + 1
        self._feed.hand_over(
            [NumberedChange(first + index, change) for index, change in enumerate(pending.changes)]
        )
        await self._feed.catch_up(pending.revision, APPLY_SECONDS)


class _Pending:
    """The changes of one transaction."""

    def __init__(self, log: ChangeLog, transaction: Transaction) -> None:
        self.changes: list[Change] = []
        self.revision = 0
        transaction.before_commit(lambda: log._write(transaction, self), last=True)
        transaction.after_commit(lambda: log._apply(self))
