"""Tells Prefect what has fired a trigger, until a flow run has come of it."""

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
# How often it looks for what another replica has left, or Prefect did not take.
POLL_SECONDS = 2.0
# Prefect may have lost an event that has no flow run after so long. It may also be late: each
# repetition doubles the pause, so that they do not fill its queue.
TOLD_AGAIN_AFTER = timedelta(seconds=60)
LONGEST_PAUSE = timedelta(hours=1)
# Firings are kept for so long.
KEEP = timedelta(days=30)
PRUNE_EVERY_SECONDS = 600.0
PRUNED_AT_ONCE = 500


def pauses_before_retelling() -> list[timedelta]:
    """How long to wait after the first telling, after the second, and so on; then always the
    last."""
    pauses = [TOLD_AGAIN_AFTER]
    while pauses[-1] < LONGEST_PAUSE:
        pauses.append(min(2 * pauses[-1], LONGEST_PAUSE))
    return pauses


class FiringTeller:
    """Every replica tells of all firings: the id of an event is the same from each of them, and
    Prefect starts one flow run for an id."""

    def __init__(self, *, database: Database, deployments: Deployments, clock: Clock) -> None:
        self._database = database
        self._deployments = deployments
        self._clock = clock
        self._fired = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._pruning: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tell, and to delete what is old."""
        self._task = asyncio.create_task(self._tell_forever(), name="trigger-firings")
        self._pruning = asyncio.create_task(self._prune_forever(), name="trigger-pruning")

    async def stop(self) -> None:
        """What Prefect was not told is told after the next start. Harmless when repeated."""
        await end_tasks(self._task, self._pruning)
        self._task = self._pruning = None

    def fired(self, _firing_ids: Sequence[str]) -> None:
        """Firings were committed here just now."""
        self._fired.set()

    async def _tell_forever(self) -> None:
        while True:
            self._fired.clear()
            try:
                while await self._tell():
                    pass
            except DatabaseUnavailable:
                log.warning("firings_wait_for_the_database")
            except Exception:
                log.exception("firings_not_told")
            await happens_within(self._fired, POLL_SECONDS)

    async def _tell(self) -> bool:
        """Tell of some firings; returns whether there may be more."""
        now = self._clock.now()
        async with self._database.read() as transaction:
            rows = await repository.untold(
                transaction.session, now, pauses_before_retelling(), limit=BATCH
            )
            if not rows:
                return False
            # Prefect leaves out events of a deployment that it does not have yet.
            refs = list({trigger.id for _, trigger in rows})
            there = await self._deployments.urls(transaction, KIND, refs)
        tellable = [(firing, trigger) for firing, trigger in rows if trigger.id in there]
        if not tellable or not await self._deployments.emit([_event(*row) for row in tellable]):
            return False
        async with self._database.write(background=True) as transaction:
            ids = [firing.id for firing, _ in tellable]
            await repository.mark_told(transaction.session, ids, now)
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
    # Another id each time that it is told again: Prefect has forgotten, or lost, the one before.
    event_id = uuid5(NAMESPACE_URL, f"promptops:{firing.id}:{firing.tellings}")
    return PlatformEvent(
        id=str(event_id),
        name=f"promptops.{firing.event_type}",
        owner=Owner(KIND, trigger.id),
        parameter=firing.id,
        payload={"trigger": trigger.key, "event": firing.event_type},
    )
