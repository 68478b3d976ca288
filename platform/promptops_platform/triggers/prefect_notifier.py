"""Notifies Prefect of firings until they have flow runs."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import NAMESPACE_URL, uuid5

import structlog

from promptops_flows.processes.waiting import end_tasks, happens_within
from promptops_flows.protocol.deployment_messages import Owner, PlatformEvent
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.deployments.service import Deployments
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.triggers import repository
from promptops_platform.triggers.service import KIND
from promptops_platform.triggers.tables import FiringRow, TriggerRow

log = structlog.get_logger(__name__)

BATCH = 100
# How often to look for firings that another replica has left or Prefect did not accept.
POLL_SECONDS = 2.0
# After this time without a flow run, Prefect may have lost the event. It may also be late: the
# pause doubles with each repetition, so that repetitions don't fill its queue.
SENT_AGAIN_AFTER = timedelta(seconds=60)
LONGEST_PAUSE = timedelta(hours=1)
# How long firings are kept.
KEEP = timedelta(days=30)
PRUNE_EVERY_SECONDS = 600.0
PRUNED_AT_ONCE = 500


def pauses_between_events() -> list[timedelta]:
    """Return the pauses after the first notification, the second, and so on; the last one applies
    to all later ones."""
    pauses = [SENT_AGAIN_AFTER]
    while pauses[-1] < LONGEST_PAUSE:
        pauses.append(min(2 * pauses[-1], LONGEST_PAUSE))
    return pauses


class PrefectNotifier:
    """Every replica sends all firings: the id of an event is the same from each of them, and
    Prefect starts one flow run per id."""

    def __init__(self, *, database: Database, deployments: Deployments, clock: Clock) -> None:
        self._database = database
        self._deployments = deployments
        self._clock = clock
        self._fired = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._pruning: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start sending, and deleting old firings."""
        self._task = asyncio.create_task(self._notify_forever(), name="trigger-firings")
        self._pruning = asyncio.create_task(self._prune_forever(), name="trigger-pruning")

    async def stop(self) -> None:
        """Stop; unsent firings are sent after the next start. Idempotent."""
        await end_tasks(self._task, self._pruning)
        self._task = self._pruning = None

    def fired(self, _firing_ids: Sequence[str]) -> None:
        """Called when firings were committed on this replica."""
        self._fired.set()

    async def _notify_forever(self) -> None:
        while True:
            self._fired.clear()
            try:
                while await self._notify():
                    pass
            except DatabaseUnavailable:
                log.warning("firings_wait_for_the_database")
            except Exception:
                log.exception("firings_not_sent")
            await happens_within(self._fired, POLL_SECONDS)

    async def _notify(self) -> bool:
        """Send some firings; returns whether there may be more."""
        now = self._clock.now()
        async with self._database.read() as transaction:
            rows = await repository.unsent(
                transaction.session, now, pauses_between_events(), limit=BATCH
            )
            if not rows:
                return False
            # Prefect ignores events for a deployment that it does not have yet.
            refs = list({trigger.id for _, trigger in rows})
            there = await self._deployments.urls(transaction, KIND, refs)
        tellable = [(firing, trigger) for firing, trigger in rows if trigger.id in there]
        if not tellable or not await self._deployments.emit([_event(*row) for row in tellable]):
            return False
        async with self._database.write(background=True) as transaction:
            ids = [firing.id for firing, _ in tellable]
            await repository.mark_sent(transaction.session, ids, now)
        return len(rows) == BATCH

    async def _prune_forever(self) -> None:
        while True:
            try:
                while await self.prune() == PRUNED_AT_ONCE:
                    pass
            except Exception:
                log.exception("firings_not_pruned")
            await asyncio.sleep(PRUNE_EVERY_SECONDS)

    async def prune(self) -> int:
        """Delete some old firings; returns how many."""
        async with self._database.write(background=True) as transaction:
            before = self._clock.now() - KEEP
            return await repository.prune(transaction.session, before, PRUNED_AT_ONCE)


def _event(firing: FiringRow, trigger: TriggerRow) -> PlatformEvent:
    # A new id for each repetition, because Prefect has forgotten or lost the previous event.
    event_id = uuid5(NAMESPACE_URL, f"promptops:{firing.id}:{firing.tellings}")
    return PlatformEvent(
        id=str(event_id),
        name=f"promptops.{firing.event_type}",
        owner=Owner(KIND, trigger.id),
        parameter=firing.id,
        payload={"trigger": trigger.key, "event": firing.event_type},
    )
