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
# A client that makes up revisions can't have everybody fetch anew all the time.
SET_BACK_SECONDS = 600.0
# A connection that was cut without a word would else hold up revocations until TCP gives up.
READ_SECONDS = 10.0


class Consumer(Protocol):
    """Somebody who keeps state in memory and hears of changes. A repeat must do no harm."""

    async def load(self) -> None:
        """Read the whole state anew; called at the start and when changes were missed."""

    async def apply(self, changes: Sequence[NumberedChange]) -> None:
        """Bring the state up to these changes."""


class Announcer(Protocol):
    """Somebody who tells others, once all consumers are as far."""

    async def reloaded(self, revision: int, epoch: str) -> None:
        """The state was read anew and is of this revision; what led there is not known."""

    async def applied(self, changes: Sequence[NumberedChange]) -> None:
        """These changes are in force here."""


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
        # When everything that was committed then had been applied here.
        self._current_at = -math.inf
        # Changes that this process has committed, by revision: they need not be read again.
        self._own: dict[int, NumberedChange] = {}
        self._set_back_at = -math.inf
        self.applied = self.seen = 0
        self.epoch = ""

    @property
    def seconds_behind(self) -> float:
        """Since everything that was committed had last been applied here; infinite before that."""
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
        # The poll that is under way may have looked before this call.
        target = self._polls + 2
        try:
            async with asyncio.timeout(seconds), self._progress:
                while self._polls < target:
                    self.wake()
                    await self._progress.wait()
        except TimeoutError:
            log.warning("feed_lags", applied=self.applied)

    def hand_over(self, changes: Sequence[NumberedChange]) -> None:
        """Changes that were committed here just now."""
        if self._task is not None:
            self._own |= {change.revision: change for change in changes}

    def wake(self) -> None:
        """Say that there may be new changes."""
        self._woken.set()

    async def catch_up(self, revision: int, seconds: float) -> bool:
        """Wait until `revision` is applied here; False when `seconds` were not enough.

        Before `start` there is nothing to wait for: the state will be loaded as it is then.
        """
        if self._task is None:
            return False
        if not await self.reached(revision, seconds):
            log.warning("feed_lags", revision=revision, applied=self.applied)
            return False
        return True

    async def reached(self, revision: int, seconds: float) -> bool:
        """As `catch_up`, for a revision that somebody else named: it may not even exist."""
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
        """Somebody knows later revisions than there are: the database was restored, and what they
        stood for is no more. A new epoch has everybody fetch anew; raises DatabaseUnavailable."""
        if time.monotonic() - self._set_back_at < SET_BACK_SECONDS:
            return
        self._set_back_at = time.monotonic()
        log.warning("feed_was_set_back", applied=self.applied, epoch=self.epoch)
        try:
            await self._renew_epoch()
        except DatabaseUnavailable:
            # The next one that comes back shows it again.
            self._set_back_at = -math.inf
            raise
        self.wake()

    async def _renew_epoch(self) -> None:
        async with self._database.write() as transaction:
            await repository.renew_epoch(transaction.session, self.epoch, new_id())

    async def _load(self) -> None:
        read_at = time.monotonic()
        self._own.clear()
        # The revision is read first: what is committed while the state loads comes once more.
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
                more = await self._step()
                await self._polled()
                if not more:
                    await self._wait()
            except (DatabaseUnavailable, TimeoutError):
                log.warning("feed_waits_for_the_database", applied=self.applied)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                log.exception("feed_failed")
                await asyncio.sleep(RETRY_SECONDS)

    async def _polled(self) -> None:
        async with self._progress:
            self._polls += 1
            self._progress.notify_all()

    async def _wait(self) -> None:
        await happens_within(self._woken, self._poll)

    async def _step(self) -> bool:
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
        if epoch != self.epoch or revision < self.applied or self._gap(changes, revision):
            log.warning("feed_reloaded", applied=self.applied, revision=revision, epoch=epoch)
            if epoch == self.epoch and revision < self.applied:
                # Restored while this runs: the numbers will be given to other changes.
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
        """Own changes that are next in the feed; others may have come in between."""
        own: list[NumberedChange] = []
        while (change := self._own.pop(self.applied + len(own) + 1, None)) is not None:
            own.append(change)
        if not own and self._own:
            self._own = {name: change for name, change in self._own.items() if name > self.applied}
        return own

    async def _apply(self, changes: Sequence[NumberedChange], epoch: str) -> None:
        for consumer in self._consumers:
            await consumer.apply(changes)
        await self._advance(changes[-1].revision, epoch)
        for announcer in self._announcers:
            await announcer.applied(changes)

    def _gap(self, changes: Sequence[NumberedChange], revision: int) -> bool:
        """Whether changes that were never applied here are already pruned."""
        if not changes:
            return revision > self.applied
        return changes[0].revision != self.applied + 1

    async def _prune_forever(self) -> None:
        """Apart from the following, which must not wait for the one writer of SQLite."""
        while True:
            try:
                await self.prune()
            except Exception:
                log.exception("feed_not_pruned")
            await asyncio.sleep(PRUNE_EVERY_SECONDS)

    async def missed(self, revision: int, until: int, limit: int) -> list[NumberedChange] | None:
        """The changes that follow `revision`, up to `until`, in order and at most `limit`; None
        where they are already pruned. Raises DatabaseUnavailable."""
        async with self._database.read() as transaction:
            changes = await repository.after(transaction.session, revision, limit)
        if not changes or changes[0].revision != revision + 1:
            return None
        return [change for change in changes if change.revision <= until]

    async def prune(self) -> None:
        """Delete what is older than any client may still ask for."""
        async with self._database.write() as transaction:
            removed = await repository.prune(transaction.session, self._clock.now() - KEEP)
        if removed:
            log.info("feed_pruned", changes=removed)
