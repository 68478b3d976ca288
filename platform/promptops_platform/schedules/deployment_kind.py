"""Schedules as deployments in Prefect."""

from promptops_flows.protocol.deployment_messages import Deployment, Owner
from promptops_flows.telemetry.text_policy import TextPolicy
from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Role
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.deployments.kinds import DueAnswer, DueRun
from promptops_platform.deployments.service import Deployments
from promptops_platform.errors import NotFound
from promptops_platform.schedules import repository
from promptops_platform.schedules.firing import ScheduleFiring
from promptops_platform.schedules.service import ScheduleService, target_of
from promptops_platform.schedules.tables import KIND, ScheduleRow
from promptops_platform.schedules.timetables import timetable_of
from promptops_platform.targets.run_targets import RunTargets

# The limit of times that passed while nothing ran.
MOST_MISSED = 100
# Everybody who can reach Prefect is an admin there.
PREFECT = Actor("Prefect", Role.ADMIN)


class ScheduleDeployments:
    """The `DeploymentKind` of schedules. A schedule whose definition is deleted has no
    deployment."""

    def __init__(
        self,
        *,
        database: Database,
        schedules: ScheduleService,
        deployments: Deployments,
        targets: RunTargets,
        firing: ScheduleFiring,
        texts: TextPolicy,
        console_url: str,
    ) -> None:
        self._database = database
        self._schedules = schedules
        self._deployments = deployments
        self._targets = targets
        self._firing = firing
        self._texts = texts
        self._console_url = console_url

    async def deployments(self, transaction: Transaction) -> list[Deployment]:
        """Return all deployments, including paused ones."""
        rows = await repository.with_slugs(transaction.session)
        places = {(row.target_kind, row.workspace_id, row.target_key) for row, _ in rows}
        existing = await self._targets.existing(transaction, places)
        return [
            self._deployment(row, slug)
            for row, slug in rows
            if (row.target_kind, row.workspace_id, row.target_key) in existing
        ]

    async def deployment(self, transaction: Transaction, ref: str) -> Deployment | None:
        """Return one deployment; None if the schedule or its definition is deleted."""
        for row, slug in await repository.with_slugs(transaction.session, ref):
            if await self._targets.exists(transaction, row.workspace_id, target_of(row)):
                return self._deployment(row, slug)
        return None

    async def due(self, due: DueRun) -> DueAnswer:
        """Decide about a flow run that is due."""
        return await self._firing.due(due)

    async def paused(self, ref: str, *, paused: bool) -> None:
        """Apply that somebody has paused or resumed the deployment in Prefect."""
        try:
            async with self._database.write() as transaction:
                row = await self._schedules.set_paused(
                    transaction, ref, paused=paused, actor=PREFECT
                )
                # Also if nothing has changed here: Prefect has two switches for this, and the other
                # one may be set.
                self._deployments.changed(transaction, KIND, row.id)
        except NotFound:
            return

    async def catch_up(self) -> None:
        """Make times due that passed while neither Prefect nor the platform ran."""
        async with self._database.read() as transaction:
            rows = await repository.with_slugs(transaction.session)
        for row, slug in rows:
            if row.catch_up == "skip" or row.paused:
                continue
            most = 1 if row.catch_up == "one" else MOST_MISSED
            deployment = self._deployment(row, slug)
            await self._deployments.catch_up(deployment, since=row.settled_at, most=most)

    def _deployment(self, row: ScheduleRow, slug: str) -> Deployment:
        served = f"version {row.version}" if row.env is None else f"as {row.env} serves it"
        page = f"{self._console_url}/w/{slug}/schedules/{row.id}"
        return Deployment(
            owner=Owner(KIND, row.id),
            name=row.key,
            workspace=slug,
            key=row.target_key,
            timetable=timetable_of(row),
            paused=row.paused,
            parameters=self._texts.json(row.variables) or {},
            tags=(KIND, f"workspace:{slug}"),
            description=f"Runs {row.target_kind} {row.target_key}, {served}. Edit it at {page}",
        )
