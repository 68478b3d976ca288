"""The deployments of a work pool in Prefect, made from what the platform has."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.utilities.urls import url_for

from promptops_flows.engine.deployment_shape import HeldDeployment, body_of, flow_of
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

# Less than any two times of a timetable are apart.
_TICK = timedelta(milliseconds=1)
# Of the times that have passed, the first so many are looked at.
_MOST_DATES = 20_000


@dataclass(slots=True)
class _Findings:
    """What a comparison has found, by names."""

    created: list[str] = field(default_factory=list)
    corrected: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    urls: list[list[str | None]] = field(default_factory=list)
    refused: list[list[str]] = field(default_factory=list)
    pressed: list[DeploymentPaused] = field(default_factory=list)

    def refuse(self, owner: Owner, reason: str) -> None:
        """Prefect does not take the deployment of this owner."""
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

    async def read_in_turn(self, work_pool: str) -> dict[Owner, HeldDeployment]:
        """As `read`, while none is being put."""
        async with self._turn:
            return await self.read(work_pool)

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
        findings = _Findings()
        for deployment in asked.deployments:
            row = held.pop(deployment.owner, None)
            try:
                await self._correct(asked.work_pool, deployment, row, findings)
            except RunRefusedError as error:
                findings.refuse(deployment.owner, str(error))
            except httpx.HTTPStatusError as error:
                if not is_refusal(error):
                    raise
                findings.refuse(deployment.owner, refusal_of(error))
        for owner, row in held.items():
            if owner not in self.own:
                findings.removed.append(row.name)
                await self._delete(asked.work_pool, owner, row.id)
        return findings.reconciled, findings.pressed

    async def _correct(
        self,
        work_pool: str,
        deployment: Deployment,
        row: HeldDeployment | None,
        findings: _Findings,
    ) -> None:
        """Put one deployment, where Prefect does not have it so."""
        owner, row_id = deployment.owner, "" if row is None else row.id
        if row is not None and row.is_paused != row.was_put_paused:
            findings.pressed.append(DeploymentPaused(owner, row.is_paused))
        elif row is None or row.differs_from(await self._body(work_pool, deployment)):
            row_id = (await self._put(work_pool, deployment)).deployment_id
            (findings.created if row is None else findings.corrected).append(
                f"{flow_of(deployment)}/{deployment.name}"
            )
        findings.urls.append([owner.kind, owner.ref, row_id, deployment_url(row_id)])

    async def catch_up(self, asked: CatchUp) -> CaughtUp:
        """Have flow runs for times that have passed."""
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
