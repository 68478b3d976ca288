"""The deployments of a work pool in Prefect, made from what the platform has."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.utilities.urls import url_for

from promptops_flows.engine.deployment_shape import HeldDeployment, body_of, flow_of
from promptops_flows.engine.logs import log
from promptops_flows.engine.prefect_api import PrefectApi
from promptops_flows.engine.work_pools import WorkPools
from promptops_flows.protocol.deployment_messages import (
    Deployment,
    DeploymentPaused,
    DeploymentStored,
    Owner,
    Reconcile,
    Reconciled,
)


class Deployments:
    """`pools` are created with their first deployment."""

    def __init__(self, client: PrefectClient, api: PrefectApi, pools: WorkPools) -> None:
        self._client = client
        self._api = api
        self._pools = pools
        # Ids in Prefect by work pool and owner.
        self._ids: dict[tuple[str, Owner], str] = {}
        # Whom the engine makes deployments for by itself: no platform knows of them.
        self.own: set[Owner] = set()
        # Deployments are put one after the other where they are the same one.
        self._turn = asyncio.Lock()

    async def put(self, work_pool: str, deployment: Deployment) -> DeploymentStored:
        """Create or change one; its next flow runs are scheduled."""
        async with self._turn:
            await self._pools.ensure(work_pool)
            return await self._put(work_pool, deployment)

    async def delete(self, work_pool: str, owner: Owner) -> None:
        """Remove one with its flow runs that have not begun."""
        async with self._turn:
            deployment_id = await self.find(work_pool, owner)
            if deployment_id is not None:
                await self._delete(work_pool, owner, deployment_id)

    async def find(self, work_pool: str, owner: Owner) -> str | None:
        """The id in Prefect of one that it has."""
        place = (work_pool, owner)
        if place not in self._ids:
            await self.read(work_pool)
        return self._ids.get(place)

    async def read(self, work_pool: str) -> dict[Owner, HeldDeployment]:
        """Those that a platform has put into the pool, by owner."""
        filters = {"work_pools": {"name": {"any_": [work_pool]}}, "sort": "NAME_ASC"}
        rows = [HeldDeployment(row) for row in await self._api.all("/deployments/filter", filters)]
        own = {row.owner: row for row in rows if row.owner is not None}
        elsewhere = {place: at for place, at in self._ids.items() if place[0] != work_pool}
        self._ids = elsewhere | {(work_pool, owner): row.id for owner, row in own.items()}
        return own

    async def reconcile(self, asked: Reconcile) -> tuple[Reconciled, list[DeploymentPaused]]:
        """Correct what differs, but for those that somebody paused or resumed in Prefect."""
        async with self._turn:
            return await self._reconcile(asked)

    async def _reconcile(self, asked: Reconcile) -> tuple[Reconciled, list[DeploymentPaused]]:
        held = await self.read(asked.work_pool)
        if asked.deployments or asked.timers:
            await self._pools.ensure(asked.work_pool)
        created: list[str] = []
        corrected: list[str] = []
        removed: list[str] = []
        urls: list[list[str | None]] = []
        pressed: list[DeploymentPaused] = []
        for deployment in asked.deployments:
            row = held.pop(deployment.owner, None)
            row_id = "" if row is None else row.id
            if row is not None and row.is_paused != row.was_put_paused:
                pressed.append(DeploymentPaused(deployment.owner, row.is_paused))
            elif row is None or row.differs_from(await self._body(asked.work_pool, deployment)):
                (created if row is None else corrected).append(
                    f"{flow_of(deployment)}/{deployment.name}"
                )
                row_id = (await self._put(asked.work_pool, deployment)).deployment_id
            owner = deployment.owner
            urls.append([owner.kind, owner.ref, row_id, deployment_url(row_id)])
        for owner, row in held.items():
            if owner not in self.own:
                removed.append(row.name)
                await self._delete(asked.work_pool, owner, row.id)
        return Reconciled(tuple(created), tuple(corrected), tuple(removed), tuple(urls)), pressed

    async def _put(self, work_pool: str, deployment: Deployment) -> DeploymentStored:
        body = await self._body(work_pool, deployment)
        place = (work_pool, deployment.owner)
        before = self._ids.get(place)
        deployment_id = str((await self._api.post("/deployments/", body))["id"])
        self._ids[place] = deployment_id
        if before is not None and before != deployment_id:
            # Flow and name say which deployment it is: with others it is another one.
            await self._api.delete(f"/deployments/{before}")
        if deployment.timetable is not None and not deployment.paused:
            # Rather than when Prefect's scheduler next looks, which may be in five seconds.
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
    """Where Prefect shows it."""
    return url_for("deployment", obj_id=deployment_id)
