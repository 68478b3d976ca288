"""Following the change feed: every replica applies the same changes in the same order."""

import asyncio
import math
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import structlog

from promptops_flows.processes.waiting import end_tasks, happens_within
from promptops_platform.changes import repository
from promptops_platform.changes.schemas import NumberedChange
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.ids import new_id

log = structlog.get_logger(__name__)

BATCH = 500
KEEP = timedelta(days=7)
PRUNE_EVERY_SECONDS = 3600
# SQLite has no notifications: another process's change is found by asking.
SQLITE_POLL_SECONDS = 0.2
# The safety net beside PostgreSQL's notifications.
POSTGRES_POLL_SECONDS = 2.0
RETRY_SECONDS = 0.5
# Limits how often a client that invents revisions can make everybody fetch again.
SET_BACK_SECONDS = 600.0
# Without this limit a silently cut connection delays revocations until TCP gives up.
READ_SECONDS = 10.0


class Consumer(Protocol):
    """Keeps state in memory and receives changes. Receiving one twice must be harmless."""

    async def load(self) -> None:
        """Read the whole state again; called at the start and when changes were missed."""

    async def apply(self, changes: Sequence[NumberedChange]) -> None:
        """Apply these changes to the state."""


class Announcer(Protocol):
    """Notifies others once all consumers have applied a change."""

    async def reloaded(self, revision: int, epoch: str) -> None:
        """The state was read again, as of this revision; the changes before it are unknown."""

    async def applied(self, changes: Sequence[NumberedChange]) -> None:
        """All consumers have applied these changes."""


class Feed:
    """Reads new changes and hands them to the consumers, in the order they were added, then to the
    announcers."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._consumers: list[Consumer] = []
        self._announcers: list[Announcer] = []
        self._woken = asyncio.Event()
        self._progress = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._pruning: asyncio.Task[None] | None = None
        self._polls = 0
        self._poll = SQLITE_POLL_SECONDS if database.engines.is_sqlite else POSTGRES_POLL_SECONDS
        self._read_seconds = READ_SECONDS
        # The last time at which everything committed by then had been applied here.
        self._current_at = -math.inf
        # Changes that this process has committed, by revision: they need not be read again.
        self._own: dict[int, NumberedChange] = {}
        self._set_back_at = -math.inf
        self.applied = self.seen = 0
        self.epoch = ""

    @property
    def seconds_behind(self) -> float:
        """Since this replica last had applied all that was committed; infinite before that."""
        return time.monotonic() - self._current_at

    def add(self, consumer: Consumer) -> None:
        """Add a consumer, before `start`."""
        self._consumers.append(consumer)

    def announce_to(self, announcer: Announcer) -> None:
        """Add an announcer, before `start`."""
        self._announcers.append(announcer)

    async def start(self) -> None:
        """Load the consumers and begin to follow."""
        await self._load()
        self._task = asyncio.create_task(self._follow(), name="change-feed")
        self._pruning = asyncio.create_task(self._prune_forever(), name="change-feed-pruning")

    async def stop(self) -> None:
        """Stop following."""
        await end_tasks(self._task, self._pruning)

    async def poll_now(self, seconds: float) -> None:
        """Apply what is committed up to now, waiting at most `seconds`."""
        # The running poll may have read before this call.
        target = self._polls + 2
        try:
            async with asyncio.timeout(seconds), self._progress:
                while self._polls < target:
                    self.wake()
                    await self._progress.wait()
        except TimeoutError:
            log.warning("feed_lags", applied=self.applied)

    def hand_over(self, changes: Sequence[NumberedChange]) -> None:
        """Take changes that this process has just committed."""
        if self._task is not None:
            self._own |= {change.revision: change for change in changes}

    def wake(self) -> None:
        """Read the feed now, because there may be new changes."""
        self._woken.set()

    async def catch_up(self, revision: int, seconds: float) -> bool:
        """Wait until `revision` is applied here; False when `seconds` were not enough.

        Before `start` there is nothing to wait for: the state will be loaded as it is then.
        """
        if self._task is None:
            return False
        if not await self.reaches_revision(revision, seconds):
            log.warning("feed_lags", revision=revision, applied=self.applied)
            return False
        return True

    async def reaches_revision(self, revision: int, seconds: float) -> bool:
        """Like `catch_up`, for a revision that a client names and that may not exist."""
        if self.applied >= revision:
            return True
        self.wake()
        try:
            async with asyncio.timeout(seconds), self._progress:
                await self._progress.wait_for(lambda: self.applied >= revision)
        except TimeoutError:
            return False
        return True

    async def was_set_back(self) -> None:
        """Call this when a client knows a later revision than the feed has: the database was
        restored, and its later changes are lost. A new epoch makes everybody fetch everything
        again. Raises DatabaseUnavailable."""
        if time.monotonic() - self._set_back_at < SET_BACK_SECONDS:
            return
        self._set_back_at = time.monotonic()
        log.warning("feed_was_set_back", applied=self.applied, epoch=self.epoch)
        try:
            await self._renew_epoch()
        except DatabaseUnavailable:
            # The next client that reconnects shows it again.
            self._set_back_at = -math.inf
            raise
        self.wake()

    async def _renew_epoch(self) -> None:
        async with self._database.write() as transaction:
            await repository.renew_epoch(transaction.session, self.epoch, new_id())

    async def _load(self) -> None:
        read_at = time.monotonic()
        self._own.clear()
        # The revision is read first: changes committed while the state loads are applied twice.
        async with self._database.read() as transaction:
            revision, epoch = await repository.current(transaction.session)
        for consumer in self._consumers:
            await consumer.load()
        self.seen, self._current_at = revision, read_at
        await self._advance(revision, epoch)
        for announcer in self._announcers:
            await announcer.reloaded(revision, epoch)

    async def _advance(self, revision: int, epoch: str) -> None:
        async with self._progress:
            self.applied, self.epoch = revision, epoch
            self._progress.notify_all()

    async def _follow(self) -> None:
        while True:
            try:
                more = await self._apply_next()
                await self._count_poll()
                if not more:
                    await self._wait()
            except (DatabaseUnavailable, TimeoutError):
                log.warning("feed_waits_for_the_database", applied=self.applied)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                log.exception("feed_failed")
                await asyncio.sleep(RETRY_SECONDS)

    async def _count_poll(self) -> None:
        async with self._progress:
            self._polls += 1
            self._progress.notify_all()

    async def _wait(self) -> None:
        await happens_within(self._woken, self._poll)

    async def _apply_next(self) -> bool:
        """Apply one batch; returns whether there may be more."""
        self._woken.clear()
        if own := self._take_own():
            await self._apply(own, self.epoch)
            return True
        read_at = time.monotonic()
        async with asyncio.timeout(self._read_seconds), self._database.read() as transaction:
            revision, epoch = await repository.current(transaction.session)
            changes = (
                await repository.after(transaction.session, self.applied, BATCH)
                if revision != self.applied
                else []
            )
        self.seen = revision
        if epoch != self.epoch or revision < self.applied or self._has_gap(changes, revision):
            log.warning("feed_reloaded", applied=self.applied, revision=revision, epoch=epoch)
            if epoch == self.epoch and revision < self.applied:
                # The database was restored meanwhile: other changes will get these numbers.
                await self._renew_epoch()
            await self._load()
            return True
        if changes:
            await self._apply(changes, epoch)
        if self.applied < revision:
            return True
        self._current_at = read_at
        return False

    def _take_own(self) -> list[NumberedChange]:
        """Own changes that come next in the feed, up to the next one of another replica."""
        own: list[NumberedChange] = []
        while (change := self._own.pop(self.applied + len(own) + 1, None)) is not None:
            own.append(change)
        if not own and self._own:
            self._own = {
                revision: change
                for revision, change in self._own.items()
                if revision > self.applied
            }
        return own

    async def _apply(self, changes: Sequence[NumberedChange], epoch: str) -> None:
        for consumer in self._consumers:
            await consumer.apply(changes)
        await self._advance(changes[-1].revision, epoch)
        for announcer in self._announcers:
            await announcer.applied(changes)

    def _has_gap(self, changes: Sequence[NumberedChange], revision: int) -> bool:
        """Whether changes were pruned before they were applied here."""
        if not changes:
            return revision > self.applied
        return changes[0].revision != self.applied + 1

    async def _prune_forever(self) -> None:
        """A task of its own, because following must not wait for the single writer of SQLite."""
        while True:
            try:
                await self.prune()
            except Exception:
                log.exception("feed_not_pruned")
            await asyncio.sleep(PRUNE_EVERY_SECONDS)

    async def changes_after(
        self, revision: int, until: int, limit: int
    ) -> list[NumberedChange] | None:
        """The changes that follow `revision`, up to `until`, in order and at most `limit`; None
        where they are already pruned. Raises DatabaseUnavailable."""
        async with self._database.read() as transaction:
            changes = await repository.after(transaction.session, revision, limit)
        if not changes or changes[0].revision != revision + 1:
            return None
        return [change for change in changes if change.revision <= until]

    async def prune(self) -> None:
        """Delete changes that are too old for any client to ask for."""
        async with self._database.write() as transaction:
            removed = await repository.prune(transaction.session, self._clock.now() - KEEP)
        if removed:
            log.info("feed_pruned", changes=removed)
