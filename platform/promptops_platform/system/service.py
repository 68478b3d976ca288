"""Reads the state of the installation; nothing here changes anything."""

import asyncio
import math
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

from promptops_platform.changes.feed import Feed
from promptops_platform.changes.replicas import Replicas
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.deployments.service import Deployments
from promptops_platform.diagnosis.examination import examine
from promptops_platform.diagnosis.shown_settings import shown_settings, without_login
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.observability.readiness import Readiness
from promptops_platform.realtime.hub import Hub
from promptops_platform.settings import Settings
from promptops_platform.system import repository
from promptops_platform.system.schemas import (
    DatabaseState,
    DeploymentsState,
    Examination,
    FeedState,
    PrefectState,
    ReplicaState,
    RunState,
    System,
    SystemFinding,
)

# An examination opens connections to everything around, so concurrent callers get the same result.
GOOD_FOR_SECONDS = 5.0


class SystemService:
    """The state of this replica, of what it depends on, and of the other replicas."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        feed: Feed,
        replicas: Replicas,
        readiness: Readiness,
        deployments: Deployments,
        hub: Hub,
        runs_in_flight: Callable[[], int],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._database = database
        self._feed = feed
        self._replicas = replicas
        self._readiness = readiness
        self._deployments = deployments
        self._hub = hub
        self._runs_in_flight = runs_in_flight
        self._clock = clock
        self._started_at = clock.now()
        self._examining = asyncio.Lock()
        self._examination: Examination | None = None
        self._examined = -math.inf

    async def read(self) -> System:
        """Return the current state; works without the database, too."""
        settings = self._settings
        return System(
            version=version("promptops"),
            python=sys.version.partition(" ")[0],
            prefect_version=version("prefect"),
            started_at=self._started_at,
            parts=await self._readiness.parts(),
            database=await self._database_state(),
            feed=self._feed_state(),
            replicas=await self._replica_states(),
            runs=RunState(
                in_flight=self._runs_in_flight(), concurrency=settings.engine_concurrency
            ),
            prefect=PrefectState(
                is_embedded=settings.prefect_api_url is None,
                url=without_login(
                    settings.prefect_api_url or f"http://127.0.0.1:{settings.prefect_port}"
                ),
                deployments=await self._deployments_state(),
            ),
            watchers=self._hub.watchers,
            settings=shown_settings(settings),
        )

    async def examine(self) -> Examination:
        """Return the findings of `promptops doctor`, at most this many seconds old."""
        async with self._examining:
            if self._examination is None or time.monotonic() - self._examined > GOOD_FOR_SECONDS:
                # Checking the packages alone keeps a processor busy for longer than a request may
                # block others.
                findings = await asyncio.to_thread(asyncio.run, examine(self._settings))
                self._examination = Examination(
                    examined_at=self._clock.now(),
                    findings=[
                        SystemFinding(
                            check=finding.check,
                            level=finding.level,
                            text=finding.text,
                            remedy=finding.remedy,
                        )
                        for finding in findings
                    ],
                )
                self._examined = time.monotonic()
            return self._examination

    async def _database_state(self) -> DatabaseState:
        engines = self._database.engines
        schema, size, answer_ms = None, None, None
        begun = time.perf_counter()
        try:
            async with self._database.read() as transaction:
                schema = await repository.schema(transaction.session)
                answer_ms = round((time.perf_counter() - begun) * 1000, 2)
                size = await repository.size(transaction.session)
        except DatabaseUnavailable:
            pass  # `parts` report this error.
        return DatabaseState(
            kind="sqlite" if engines.is_sqlite else "postgresql",
            location=str(engines.location),
            schema_revision=schema,
            bytes=size,
            answer_ms=answer_ms,
        )

    async def _deployments_state(self) -> DeploymentsState:
        row = None
        try:
            async with self._database.read() as transaction:
                row = await self._deployments.comparisons.last(transaction)
        except DatabaseUnavailable:
            pass  # `parts` report this error.
        return DeploymentsState(
            waiting=self._deployments.waiting,
            compared_at=row and row.compared_at,
            refused=row.refused if row else 0,
            corrected_at=row and row.corrected_at,
            created=row.created if row else [],
            corrected=row.corrected if row else [],
            removed=row.removed if row else [],
            timers=row.timers if row else 0,
        )

    def _feed_state(self) -> FeedState:
        behind = self._feed.seconds_behind
        return FeedState(
            revision=self._feed.applied,
            seen=self._feed.seen,
            epoch=self._feed.epoch,
            seconds_behind=round(behind, 3) if math.isfinite(behind) else None,
        )

    async def _replica_states(self) -> list[ReplicaState]:
        own = ReplicaState(
            id=self._replicas.id,
            is_this=True,
            revision=self._feed.applied,
            epoch=self._feed.epoch,
            seen_seconds_ago=0.0,
        )
        others = [
            ReplicaState(
                id=other.id,
                is_this=False,
                revision=other.revision,
                epoch=other.epoch,
                seen_seconds_ago=round(other.seen_seconds_ago, 1),
            )
            for other in self._replicas.states
        ]
        return [own, *others]
