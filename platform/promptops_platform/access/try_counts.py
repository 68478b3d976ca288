"""Counts tries in memory, and shares them with other replicas through the database.

The first tries of a subject cost no write. From half of a limit on, each try waits until the
database has it, together with concurrent ones: so a flood costs a few writes, and a limit that was
reached holds on every replica and after a restart. Each further replica may let up to half a limit
more through.
"""

import asyncio
import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from promptops_platform.access import repository
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

WINDOW = timedelta(minutes=15)
# Maximum age of what is cached of other replicas' tries.
REFRESH_SECONDS = 1.0
NEVER = datetime.min.replace(tzinfo=UTC)
# The oldest are dropped from memory first; written ones can be read again.
MOST_SUBJECTS = 50_000
# How many subjects are written in one transaction.
MOST_WRITTEN = 50


@dataclass(frozen=True, slots=True)
class Limit:
    """What is counted, and how many tries it has in a window."""

    subject: str
    most: int

    @property
    def half(self) -> int:
        """From this number of tries on, each is written."""
        return math.ceil(self.most / 2)


@dataclass(slots=True)
class _Count:
    """`written` are the tries of all replicas, `unwritten` those of this one since; negative if
    tries were taken back.

    A window ends by the clock or by the time that has passed since `began`, whichever is sooner, so
    that setting the clock back doesn't extend a lock. Windows that started up to `over_until` have
    ended, whatever the clock says about the database's rows.
    """

    started_at: datetime
    began: float
    over_until: datetime = NEVER
    written: int = 0
    unwritten: int = 0
    read_at: float = -math.inf

    @property
    def tries(self) -> int:
        return self.written + self.unwritten


class LimitReached(Exception):
    """The tries of a subject are used up for this many `seconds`."""

    def __init__(self, subject: str, seconds: int) -> None:
        super().__init__(f"no more tries for {seconds} seconds")
        self.subject = subject
        self.seconds = seconds


class TryCounts:
    """The number of tries of each subject in its window of a quarter of an hour."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._counts: dict[str, _Count] = {}
        self._reading = asyncio.Lock()
        self._writing = asyncio.Lock()

    async def count(self, limits: Sequence[Limit]) -> None:
        """Count a try of each subject; raises LimitReached without counting if one of them has used
        up its tries. A locked subject costs no query."""
        self.check(limits)
        await self._refresh([limit.subject for limit in limits])
        self.check(limits)
        for limit in limits:
            self._current(limit.subject).unwritten += 1
        await self.share(limits)
        for limit in limits:
            if self._current(limit.subject).tries > limit.most:
                raise self._reached(limit)

    def check(self, limits: Sequence[Limit]) -> None:
        """Raise LimitReached if a subject has used up its tries, according to what is cached
        here."""
        for limit in limits:
            if self._current(limit.subject).tries >= limit.most:
                raise self._reached(limit)

    async def share(self, limits: Sequence[Limit]) -> None:
        """Write the counts that have reached half of their limit."""
        due = [
            limit.subject
            for limit in limits
            if self._current(limit.subject).tries >= limit.half
            and self._current(limit.subject).unwritten > 0
        ]
        if due:
            await self._write_or_log(due)

    def take_back(self, subject: str) -> None:
        """Take back a try."""
        count = self._current(subject)
        if count.tries > 0:
            count.unwritten -= 1
        if count.tries == count.written == 0 and count.over_until == NEVER:
            self._counts.pop(subject, None)

    def forget(self, subject: str) -> None:
        """Drop the cached count; the caller deletes the database's row."""
        self._counts.pop(subject, None)

    async def write(self) -> None:
        """Write all counts that have changed since they were written."""
        since = self._clock.now() - WINDOW
        for subject in [
            name for name, count in self._counts.items() if _is_forgotten(count, since)
        ]:
            del self._counts[subject]
        changed = [subject for subject, count in self._counts.items() if count.unwritten]
        for start in range(0, len(changed), MOST_WRITTEN):
            await self._write(changed[start : start + MOST_WRITTEN])

    def _current(self, subject: str) -> _Count:
        """Return the count of the current window."""
        now = self._clock.now()
        count = self._counts.get(subject)
        if count is None or self._left(count) <= 0:
            self._counts.pop(subject, None)
            over_until = NEVER
            if count is not None and count.started_at > now - WINDOW:
                over_until = max(count.started_at, count.over_until)
            count = _Count(now, self._clock.monotonic(), over_until)
            self._counts[subject] = count
            while len(self._counts) > MOST_SUBJECTS:
                del self._counts[next(iter(self._counts))]
        return count

    def _left(self, count: _Count) -> float:
        """Return the seconds until the window of a count ends."""
        by_clock = (count.started_at + WINDOW - self._clock.now()).total_seconds()
        by_time = count.began + WINDOW.total_seconds() - self._clock.monotonic()
        return min(by_clock, by_time)

    def _reached(self, limit: Limit) -> LimitReached:
        seconds = math.ceil(self._left(self._current(limit.subject)))
        return LimitReached(limit.subject, max(1, seconds))

    def _learn_start(self, count: _Count, started_at: datetime) -> None:
        """Take the start of the window from the database, because another replica may have set
        it."""
        passed = (self._clock.now() - started_at).total_seconds()
        count.began = min(count.began, self._clock.monotonic() - max(0.0, passed))
        count.started_at = started_at

    def _stale(self, subjects: Collection[str]) -> list[str]:
        oldest = time.monotonic() - REFRESH_SECONDS
        return [name for name in subjects if self._current(name).read_at < oldest]

    async def _refresh(self, subjects: Collection[str]) -> None:
        """Load what other replicas have counted; concurrent tries share one query."""
        if not self._stale(subjects):
            return
        async with self._reading:
            stale = {name: self._current(name) for name in self._stale(subjects)}
            if not stale:
                return
            before = {name: count.written for name, count in stale.items()}
            since = self._clock.now() - WINDOW
            async with self._database.read() as transaction:
                rows = await repository.tries(transaction.session, stale, since)
            for name, count in stale.items():
                count.read_at = time.monotonic()
                # What was written meanwhile is newer than what was read.
                if count.written == before[name]:
                    count.written, started_at = rows.get(name, (0, count.started_at))
                    if started_at <= count.over_until:
                        count.written = 0
                    elif name in rows:
                        self._learn_start(count, started_at)

    async def _write_or_log(self, subjects: Collection[str]) -> None:
        """The count in memory is kept even if the database is unavailable."""
        try:
            await self._write(subjects)
        except DatabaseUnavailable as error:
            log.warning("tries_not_written", reason=error.sentence)

    async def _write(self, subjects: Collection[str]) -> None:
        async with self._writing:
            counts = {name: self._counts.get(name) for name in sorted(subjects)}
            added = {name: count.unwritten for name, count in counts.items() if count is not None}
            # A concurrent write may have included them.
            added = {name: number for name, number in added.items() if number}
            if not added:
                return
            now = self._clock.now()
            totals = {}
            async with self._database.write(background=True) as transaction:
                for name, number in added.items():
                    count = counts[name]
                    assert count is not None
                    totals[name] = await repository.add_tries(
                        transaction.session, name, number, now, max(now - WINDOW, count.over_until)
                    )
            for name, number in added.items():
                count = counts[name]
                assert count is not None
                count.unwritten -= number
                count.written, started_at = totals[name]
                count.over_until = NEVER
                self._learn_start(count, started_at)


def _is_forgotten(count: _Count, since: datetime) -> bool:
    """Whether nothing is lost by dropping it: it is over by the clock, and so is the previous
    one."""
    return max(count.started_at, count.over_until) <= since
