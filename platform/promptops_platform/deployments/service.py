"""Keeps the deployments in Prefect equal to those of the rooms."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

import structlog

from promptops_flows.protocol.deployment_messages import (
    CatchUp,
    Deployment,
    EmitEvents,
    NextTimes,
    Owner,
    PlatformEvent,
    Reconcile,
    Reconciled,
    Timer,
    Times,
    Timetable,
)
from promptops_flows.protocol.engine_client import (
    EngineClient,
    EngineError,
    EngineRefused,
)
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.deployments import repository
from promptops_platform.deployments.comparisons import Comparisons, is_different
from promptops_platform.deployments.kinds import DeploymentKinds
from promptops_platform.deployments.pushing import DeploymentPushes, pushing
from promptops_platform.deployments.tables import PrefectDeploymentRow
from promptops_platform.errors import BadRequest, DatabaseUnavailable, EngineNotReady

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 2.0
RETRY_AFTER_SECONDS = 5
TIMES_SECONDS = 10.0


class Deployments:
    """A room's change is sent after its commit; when Prefect becomes available, everything is
    compared and differences are corrected."""

    def __init__(
        self,
        *,
        database: Database,
        engine: EngineClient,
        kinds: DeploymentKinds,
        pushes: DeploymentPushes,
        comparisons: Comparisons,
        work_pool: str,
        clock: Clock,
    ) -> None:
        self.comparisons = comparisons
        self._clock = clock
        self._database = database
        self._engine = engine
        self._kinds = kinds
        self._pushes = pushes
        self._work_pool = work_pool
        self._turn = asyncio.Lock()
        self._when_ready: list[Callable[[], Awaitable[None]]] = []

    def changed(self, transaction: Transaction, kind: str, ref: str) -> None:
        """Send the deployment, changed or deleted, after this transaction's commit."""
        pushing(self._pushes, transaction, Owner(kind, ref))

    @property
    def waiting(self) -> int:
        """Return how many changes Prefect does not have yet."""
        return self._pushes.waiting

    def problem(self, kind: str, ref: str) -> str | None:
        """Return why Prefect refuses the deployment, if this replica knows."""
        return self._pushes.problems.get(Owner(kind, ref))

    def push(self, *owners: Owner) -> None:
        """Send these, which others have changed."""
        self._pushes.add(*owners)

    async def attempted(self, kind: str, ref: str, seconds: float) -> None:
        """Wait, at most `seconds`, until an attempt to send the last change was made."""
        await self._pushes.attempted(Owner(kind, ref), seconds)

    def when_ready(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call this each time Prefect has become available and up to date."""
        self._when_ready.append(callback)

    async def urls(
        self, transaction: Transaction, kind: str, refs: Sequence[str]
    ) -> dict[str, str | None]:
        """Return the addresses of Prefect's pages of these deployments, by ref."""
        rows = await repository.find_deployments(transaction.session, kind, refs)
        return {ref: row.url for ref, row in rows.items()}

    async def next_times(
        self,
        timetables: Sequence[Timetable],
        count: int,
        *,
        after: datetime,
        until: datetime | None = None,
    ) -> list[list[datetime]]:
        """Return up to `count` times of each at or after `after`, as Prefect computes them.

        Raises BadRequest for a timetable that Prefect refuses, and EngineNotReady.
        """
        end = None if until is None else until.isoformat()
        try:
            answer = await self._engine.ask(
                NextTimes(tuple(timetables), count, after.isoformat(), end), TIMES_SECONDS
            )
        except EngineRefused as error:
            raise BadRequest(error.reason) from error
        except EngineError as error:
            raise EngineNotReady(
                f"{error.reason}; try again", retry_after=RETRY_AFTER_SECONDS
            ) from error
        assert isinstance(answer, Times)
        return [[datetime.fromisoformat(time) for time in times] for times in answer.times]

    async def catch_up(self, deployment: Deployment, *, since: datetime, most: int) -> None:
        """Make the last `most` times of a deployment due that have passed since then, except those
        that Prefect has already created a flow run for."""
        asked = CatchUp(self._work_pool, deployment, since.isoformat(), most)
        try:
            await self._engine.ask(asked)
        except EngineError as error:
            log.warning("not_caught_up", deployment=deployment.name, reason=error.reason)

    async def emit(self, events: Sequence[PlatformEvent]) -> bool:
        """Send events to Prefect; False if it did not accept them. An accepted event may still be
        lost, so a caller that needs a run for it sends it again under another id."""
        try:
            await self._engine.ask(EmitEvents(self._work_pool, tuple(events)))
        except EngineError as error:
            log.info("events_not_taken", events=len(events), reason=error.reason)
            return False
        return True

    async def reconcile(self) -> None:
        """Correct all differences in Prefect once; returns when that is done, or when the engine
        has stopped."""
        async with self._turn:
            while True:
                try:
                    await self._reconcile()
                except EngineRefused as error:
                    log.error("deployments_refused", reason=error.reason)
                except EngineError:
                    return  # whoever is available next requests it again
                except DatabaseUnavailable:
                    await asyncio.sleep(AGAIN_SECONDS)
                    continue
                break
        for callback in self._when_ready:
            await callback()

    async def _reconcile(self) -> None:
        deployments, timers = await self._all()
        self._pushes.clear()
        asked = Reconcile(self._work_pool, tuple(deployments.values()), tuple(timers.values()))
        answer = await self._engine.ask(asked)
        assert isinstance(answer, Reconciled)
        self.comparisons.count(answer)
        if is_different(answer):
            log.warning(
                "deployments_corrected",
                created=answer.created,
                corrected=answer.corrected,
                removed=answer.removed,
                timers=answer.timers,
            )
        self._pushes.problems = {Owner(kind, ref): reason for kind, ref, reason in answer.refused}
        await self._store(answer)
        # Something may have been changed meanwhile, perhaps at another replica.
        now, timers_now = await self._all()
        self._pushes.add(*_differing(deployments, now), *_differing(timers, timers_now))

    async def _all(self) -> tuple[dict[Owner, Deployment], dict[Owner, Timer]]:
        async with self._database.read() as transaction:
            deployments = [
                deployment
                for handler in self._kinds.handlers.values()
                for deployment in await handler.deployments(transaction)
            ]
            rows = await repository.timers(transaction.session)
        timers = [Timer(Owner(row.kind, row.ref), row.at.isoformat()) for row in rows]
        return (
            {deployment.owner: deployment for deployment in deployments},
            {timer.owner: timer for timer in timers},
        )

    async def _store(self, answer: Reconciled) -> None:
        async with self._database.write(background=True) as transaction:
            rows = [
                PrefectDeploymentRow(kind=kind, ref=ref, deployment_id=deployment_id, url=url)
                for kind, ref, deployment_id, url in answer.urls
            ]
            await repository.store_deployments(transaction.session, rows)
            await self.comparisons.record(transaction, answer, self._clock.now())


def _differing(before: Mapping[Owner, object], now: Mapping[Owner, object]) -> list[Owner]:
    return [owner for owner in {**before, **now} if before.get(owner) != now.get(owner)]
