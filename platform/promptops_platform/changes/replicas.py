"""The processes that serve from one PostgreSQL: who lives, and how far each of them is."""

import asyncio
import math
import time
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import NamedTuple

import structlog

from promptops_flows.processes.waiting import end_tasks, happens_within
from promptops_platform.changes import repository
from promptops_platform.changes.feed import Feed
from promptops_platform.changes.schemas import NumberedChange
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.ids import new_id

log = structlog.get_logger(__name__)

BEAT_SECONDS = 1.0
# A replica that is not heard of for so long has died, or is cut off from the database.
GONE_SECONDS = 3.0
FORGOTTEN_AFTER = timedelta(minutes=1)
# Others go on with what it was doing.
DEAD_AFTER = timedelta(seconds=10)


class OtherReplica(NamedTuple):
    """A replica as it was heard of last."""

    id: str
    epoch: str
    revision: int
    seen_seconds_ago: float


class _Other:
    """Another replica, as far as it is known."""

    def __init__(self, epoch: str, revision: int, seen: float) -> None:
        self.epoch = epoch
        self.revision = revision
        self.seen = seen


class Replicas:
    """Tells the others how far this one is, at once by notification and every second by the table,
    and knows how far they are. On SQLite there is only this one."""

    def __init__(self, database: Database, feed: Feed, instance: str) -> None:
        """`instance` is the platform that this process is of."""
        self.id = new_id()
        self._instance = instance
        # Counts up whenever the others may have forgotten what this one has told.
        self.registrations = 0
        self.is_shared = not database.engines.is_sqlite
        self._database = database
        self._feed = feed
        self._others: dict[str, _Other] = {}
        self._news = asyncio.Event()
        # Set when this replica has something to tell, which is the newest it knows.
        self.progress = asyncio.Event()
        self._registered_at = -math.inf
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Make this replica known, so that the others wait for it from now on."""
        if self.is_shared:
            await self._beat_or_log()
            self._task = asyncio.create_task(self._beat_forever(), name="replica-beat")

    async def stop(self) -> None:
        """Let the others wait for this one no longer."""
        if self._task is None:
            return
        await end_tasks(self._task)
        self._task = None
        try:
            async with self._database.write() as transaction:
                await repository.unregister(transaction.session, self.id)
        except DatabaseUnavailable:
            log.warning("replica_not_unregistered", replica=self.id)

    @property
    def states(self) -> list[OtherReplica]:
        """How far the other replicas are that live."""
        now = time.monotonic()
        return [
            OtherReplica(name, other.epoch, other.revision, now - other.seen)
            for name, other in self._others.items()
            if now - other.seen <= GONE_SECONDS
        ]

    @property
    def others(self) -> list[str]:
        """Ids of the other replicas that live."""
        now = time.monotonic()
        return [
            name for name, replica in self._others.items() if now - replica.seen <= GONE_SECONDS
        ]

    def everyone_has(self, revision: int) -> bool:
        """Whether each replica that lives serves this revision."""
        return all(
            self._others[name].revision >= revision
            for name in self.others
            if self._others[name].epoch == self._feed.epoch
        )

    async def dead(self, transaction: Transaction, instances: Collection[str]) -> set[str]:
        """Those of these platforms of which no replica lives; none while there is a replica of an
        older release, which does not say what it is of."""
        living = await repository.living_instances(transaction.session, DEAD_AFTER)
        return set() if "" in living else set(instances) - living

    async def wait_for(self, revision: int, seconds: float) -> None:
        """Until each replica that lives serves this revision, at most so long."""
        end = time.monotonic() + seconds
        while not self.everyone_has(revision) and (left := end - time.monotonic()) > 0:
            await happens_within(self._news, left)

    def receive(self, payload: str) -> None:
        """Take another replica's notification."""
        name, _, rest = payload.partition(" ")
        epoch, _, revision = rest.partition(" ")
        if name == self.id:
            return
        if rest:
            self._note(name, epoch, int(revision), time.monotonic())
        else:
            self._others.pop(name, None)
        self._tell_waiting()

    def payload(self) -> str:
        """What this replica has to tell."""
        return repository.replica_news(self.id, self._feed.epoch, self._feed.applied)

    async def reloaded(self, _revision: int, _epoch: str) -> None:
        self._tell()

    async def applied(self, _changes: Sequence[NumberedChange]) -> None:
        self._tell()

    def _tell(self) -> None:
        if self.others:
            self.progress.set()

    def _note(self, name: str, epoch: str, revision: int, seen: float) -> None:
        replica = self._others.get(name)
        if replica is None or replica.epoch != epoch:
            self._others[name] = _Other(epoch, revision, seen)
            return
        # The table may say less than the notifications have.
        replica.revision = max(replica.revision, revision)
        replica.seen = max(replica.seen, seen)

    def _tell_waiting(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _beat_forever(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            await self._beat_or_log()

    async def _beat_or_log(self) -> None:
        try:
            async with asyncio.timeout(GONE_SECONDS):
                await self._beat()
        except (DatabaseUnavailable, TimeoutError):
            log.warning("replica_cut_off", replica=self.id)
        except Exception:
            log.exception("replica_beat_failed")

    async def _beat(self) -> None:
        async with self._database.write() as transaction:
            session = transaction.session
            await repository.register(
                session, self.id, self._feed.epoch, self._feed.applied, self._instance
            )
            rows = await repository.replicas(session)
            if any(age > FORGOTTEN_AFTER.total_seconds() for *_, age in rows):
                await repository.remove_gone(session, FORGOTTEN_AFTER)
        now = time.monotonic()
        if now - self._registered_at > FORGOTTEN_AFTER.total_seconds() / 2:
            self.registrations += 1
        self._registered_at = now
        for name, epoch, revision, age in rows:
            if name != self.id:
                self._note(name, epoch, revision, now - age)
        names = {name for name, *_ in rows}
        for name in [name for name in self._others if name not in names]:
            if now - self._others[name].seen > GONE_SECONDS:
                del self._others[name]
        if any(replica.revision > self._feed.applied for replica in self._others.values()):
            # The notification of that change was lost.
            self._feed.wake()
        self._tell_waiting()
