"""The replicas on one PostgreSQL: which are alive, and which revision each has applied."""

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
# A replica that is silent for this long has died, or is cut off from the database.
GONE_SECONDS = 3.0
FORGOTTEN_AFTER = timedelta(minutes=1)
# From then on other replicas take over its work.
DEAD_AFTER = timedelta(seconds=10)


class OtherReplica(NamedTuple):
    """What another replica has reported last."""

    id: str
    epoch: str
    revision: int
    seen_seconds_ago: float


class _Report:
    """The last report of another replica."""

    def __init__(self, epoch: str, revision: int, seen: float) -> None:
        self.epoch = epoch
        self.revision = revision
        self.seen = seen


class Replicas:
    """Reports the revision of this replica to the others, at once by notification and every second
    in the table, and receives their reports. On SQLite there is only this one."""

    def __init__(self, database: Database, feed: Feed, instance: str) -> None:
        """`instance` is the id of the platform that this process belongs to."""
        self.id = new_id()
        self._instance = instance
        # Grows whenever the others may have forgotten the reports of this one.
        self.registrations = 0
        self.is_shared = not database.engines.is_sqlite
        self._database = database
        self._feed = feed
        self._others: dict[str, _Report] = {}
        self._reported = asyncio.Event()
        # Set when this replica has something to report.
        self.progress = asyncio.Event()
        self._registered_at = -math.inf
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Register this replica, so that the others wait for it from now on."""
        if self.is_shared:
            await self._beat_or_log()
            self._task = asyncio.create_task(self._beat_forever(), name="replica-beat")

    async def stop(self) -> None:
        """Unregister this replica, so that the others stop waiting for it."""
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
        """The last reports of the other replicas that are alive."""
        now = time.monotonic()
        return [
            OtherReplica(name, other.epoch, other.revision, now - other.seen)
            for name, other in self._others.items()
            if now - other.seen <= GONE_SECONDS
        ]

    @property
    def others(self) -> list[str]:
        """Ids of the other replicas that are alive."""
        now = time.monotonic()
        return [
            name for name, replica in self._others.items() if now - replica.seen <= GONE_SECONDS
        ]

    def everyone_has(self, revision: int) -> bool:
        """Whether each replica that is alive serves this revision."""
        return all(
            self._others[name].revision >= revision
            for name in self.others
            if self._others[name].epoch == self._feed.epoch
        )

    async def dead_instances(
        self, transaction: Transaction, instances: Collection[str]
    ) -> set[str]:
        """Those of these platforms of which no replica is alive; none while there is a replica of
        an older release, which does not report its platform."""
        living = await repository.living_instances(transaction.session, DEAD_AFTER)
        return set() if "" in living else set(instances) - living

    async def wait_for(self, revision: int, seconds: float) -> None:
        """Wait until each replica that is alive serves this revision, at most `seconds`."""
        end = time.monotonic() + seconds
        while not self.everyone_has(revision) and (left := end - time.monotonic()) > 0:
            await happens_within(self._reported, left)

    def receive(self, payload: str) -> None:
        """Handle the notification of another replica."""
        name, _, rest = payload.partition(" ")
        epoch, _, revision = rest.partition(" ")
        if name == self.id:
            return
        if rest:
            self._note(name, epoch, int(revision), time.monotonic())
        else:
            self._others.pop(name, None)
        self._wake_waiting()

    def payload(self) -> str:
        """The report of this replica."""
        return repository.replica_report(self.id, self._feed.epoch, self._feed.applied)

    async def reloaded(self, _revision: int, _epoch: str) -> None:
        self._report_progress()

    async def applied(self, _changes: Sequence[NumberedChange]) -> None:
        self._report_progress()

    def _report_progress(self) -> None:
        if self.others:
            self.progress.set()

    def _note(self, name: str, epoch: str, revision: int, seen: float) -> None:
        replica = self._others.get(name)
        if replica is None or replica.epoch != epoch:
            self._others[name] = _Report(epoch, revision, seen)
            return
        # The table may be older than the last notification.
        replica.revision = max(replica.revision, revision)
        replica.seen = max(replica.seen, seen)

    def _wake_waiting(self) -> None:
        self._reported.set()
        self._reported = asyncio.Event()

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
        self._wake_waiting()
