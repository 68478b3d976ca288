"""Keeps the deployments of a work pool in Prefect equal to those of the platform."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.utilities.urls import url_for

from promptops_flows.engine.deployment_shape import ExistingDeployment, body_of, flow_of
from promptops_flows.engine.logs import log
from promptops_flows.engine.prefect_api import PrefectApi, is_refusal, refusal_of
from promptops_flows.engine.prefect_schedules import as_text, dates_of
from promptops_flows.engine.runs import RunRefusedError
from promptops_flows.engine.work_pools import WorkPools
from promptops_flows.protocol.deployment_messages import (
    CatchUp,
    CaughtUp,
    Deployment,
    DeploymentPaused,
    DeploymentStored,
    Owner,
    Reconcile,
    Reconciled,
)

# Shorter than any interval between two times of a timetable.
_TICK = timedelta(milliseconds=1)
# The maximum number of missed times that are examined.
_MOST_DATES = 20_000


@dataclass(slots=True)
class _Comparison:
    """The result of a comparison, by deployment name."""

    created: list[str] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    urls: list[list[str | None]] = field(default_factory=list)
    refused: list[list[str]] = field(default_factory=list)
    pressed: list[DeploymentPaused] = field(default_factory=list)

    def refuse(self, owner: Owner, reason: str) -> None:
        """Record that Prefect rejects the owner's deployment."""
        self.refused.append([owner.kind, owner.ref, reason])

    @property
    def reconciled(self) -> Reconciled:
        return Reconciled(
            tuple(self.created),
            tuple(self.corrected),
            tuple(self.removed),
            tuple(self.urls),
            tuple(self.refused),
        )


class Deployments:
    """A work pool is created with its first deployment."""

    def __init__(self, client: PrefectClient, api: PrefectApi, pools: WorkPools) -> None:
        self._client = client
        self._api = api
        self._pools = pools
        # Ids in Prefect by work pool and owner.
        self._ids: dict[tuple[str, Owner], str] = {}
        # Owners of deployments that the engine creates for itself; the platform doesn't list them.
        self.own: set[Owner] = set()
        # Updates of the same deployment run one after the other.
        self._turn = asyncio.Lock()

    async def put(self, work_pool: str, deployment: Deployment) -> DeploymentStored:
        """Create or update a deployment and schedule its next flow runs."""
        async with self._turn:
            await self._pools.ensure(work_pool)
            return await self._put(work_pool, deployment)

    async def delete(self, work_pool: str, owner: Owner) -> None:
        """Delete a deployment and its flow runs that haven't begun."""
        async with self._turn:
            deployment_id = await self.find(work_pool, owner)
            if deployment_id is not None:
                await self._delete(work_pool, owner, deployment_id)

    async def find(self, work_pool: str, owner: Owner) -> str | None:
        """The id in Prefect of a deployment, if it exists."""
        place = (work_pool, owner)
        if place not in self._ids:
            await self.read(work_pool)
        return self._ids.get(place)

    async def read_in_turn(self, work_pool: str) -> dict[Owner, ExistingDeployment]:
        """Like `read`, while no deployment is being updated."""
        async with self._turn:
            return await self.read(work_pool)

    async def read(self, work_pool: str) -> dict[Owner, ExistingDeployment]:
        """The deployments in the pool that a platform created, by owner."""
        filters = {"work_pools": {"name": {"any_": [work_pool]}}, "sort": "NAME_ASC"}
        rows = [
            ExistingDeployment(row) for row in await self._api.all("/deployments/filter", filters)
        ]
        own = {row.owner: row for row in rows if row.owner is not None}
        elsewhere = {place: at for place, at in self._ids.items() if place[0] != work_pool}
        self._ids = elsewhere | {(work_pool, owner): row.id for owner, row in own.items()}
        return own

    async def reconcile(self, asked: Reconcile) -> tuple[Reconciled, list[DeploymentPaused]]:
        """Correct all differences, except for deployments that somebody paused or resumed in
        Prefect."""
        async with self._turn:
            return await self._reconcile(asked)

    async def _reconcile(self, asked: Reconcile) -> tuple[Reconciled, list[DeploymentPaused]]:
        existing = await self.read(asked.work_pool)
        if asked.deployments or asked.timers:
            await self._pools.ensure(asked.work_pool)
        comparison = _Comparison()
        for deployment in asked.deployments:
            row = existing.pop(deployment.owner, None)
            try:
                await self._correct(asked.work_pool, deployment, row, comparison)
            except RunRefusedError as error:
                comparison.refuse(deployment.owner, str(error))
            except httpx.HTTPStatusError as error:
                if not is_refusal(error):
                    raise
                comparison.refuse(deployment.owner, refusal_of(error))
        for owner, row in existing.items():
            if owner not in self.own:
                comparison.removed.append(row.name)
                await self._delete(asked.work_pool, owner, row.id)
        return comparison.reconciled, comparison.pressed

    async def _correct(
        self,
        work_pool: str,
        deployment: Deployment,
        row: ExistingDeployment | None,
        comparison: _Comparison,
    ) -> None:
        """Update one deployment if it differs."""
        owner, row_id = deployment.owner, "" if row is None else row.id
        if row is not None and row.is_paused != row.was_paused_by_platform:
            comparison.pressed.append(DeploymentPaused(owner, row.is_paused))
        elif row is None or row.differs_from(await self._body(work_pool, deployment)):
            row_id = (await self._put(work_pool, deployment)).deployment_id
            (comparison.created if row is None else comparison.corrected).append(
                f"{flow_of(deployment)}/{deployment.name}"
            )
        comparison.urls.append([owner.kind, owner.ref, row_id, deployment_url(row_id)])

    async def catch_up(self, asked: CatchUp) -> CaughtUp:
        """Create flow runs for missed times."""
        timetable = asked.deployment.timetable
        assert timetable is not None
        since = datetime.fromisoformat(asked.since) + _TICK
        dates = await dates_of(timetable, _MOST_DATES, since, datetime.now(UTC))
        deployment_id = await self.find(asked.work_pool, asked.deployment.owner)
        if dates and deployment_id is not None:
            last = dates[-asked.most :]
            times = {
                "start_time": as_text(last[0]),
                "end_time": as_text(last[-1] + _TICK),
                "min_runs": len(last),
                "max_runs": len(last),
            }
            await self._api.post(f"/deployments/{deployment_id}/schedule", times)
        return CaughtUp(len(dates))

    async def _put(self, work_pool: str, deployment: Deployment) -> DeploymentStored:
        body = await self._body(work_pool, deployment)
        place = (work_pool, deployment.owner)
        before = self._ids.get(place)
        deployment_id = str((await self._api.post("/deployments/", body))["id"])
        self._ids[place] = deployment_id
        if before is not None and before != deployment_id:
            # Flow and name identify a deployment in Prefect: with other values it is another
            # deployment.
            await self._api.delete(f"/deployments/{before}")
        if deployment.timetable is not None and not deployment.paused:
            # Otherwise the flow runs would appear when Prefect's scheduler next runs, up to five
            # seconds later.
            await self._api.post(f"/deployments/{deployment_id}/schedule", {})
        fields = {"deployment": body["name"], "deployment_kind": deployment.owner.kind}
        log(logging.INFO, "deployment.put", **fields, deployment_id=deployment_id)
        return DeploymentStored(deployment_id, deployment_url(deployment_id))

    async def _body(self, work_pool: str, deployment: Deployment) -> dict[str, Any]:
        flow_id = await self._client.create_flow_from_name(flow_of(deployment))
        return body_of(deployment, work_pool, str(flow_id))

    async def _delete(self, work_pool: str, owner: Owner, deployment_id: str) -> None:
        await self._api.delete(f"/deployments/{deployment_id}")
        self._ids.pop((work_pool, owner), None)
        fields = {"deployment_kind": owner.kind, "deployment_id": deployment_id}
        log(logging.INFO, "deployment.deleted", **fields)


def deployment_url(deployment_id: str) -> str | None:
    """The deployment's page in Prefect."""
    return url_for("deployment", obj_id=deployment_id)
