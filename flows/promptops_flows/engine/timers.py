"""Timers: flow runs of one deployment, each scheduled for a time."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from promptops_flows.engine.deployment_shape import labels_of
from promptops_flows.engine.deployments import Deployments
from promptops_flows.engine.prefect_api import PrefectApi
from promptops_flows.protocol.deployment_messages import Deployment, Owner, Timer

# The key of the deployment, which the engine owns itself.
TIMERS = Deployment(
    owner=Owner("timers", "timers"),
    name="timers",
    workspace="default",
    key="promptops",
    description="Deadlines and reminders of PromptOps, one flow run each",
)


class Timers:
    """At most one timer per owner."""

    def __init__(self, api: PrefectApi, deployments: Deployments) -> None:
        self._api = api
        self._deployments = deployments
        deployments.own.add(TIMERS.owner)

    async def put(self, work_pool: str, timer: Timer) -> None:
        """Schedule the owner's flow run for the timer's time, and delete its other ones."""
        name = name_of(timer.owner)
        await self._settle(work_pool, timer, await self._scheduled(work_pool, name))

    async def delete(self, work_pool: str, owner: Owner) -> None:
        """Delete the owner's timer."""
        for flow_run in await self._scheduled(work_pool, name_of(owner)):
            await self._api.delete(f"/flow_runs/{flow_run['id']}")

    async def reconcile(self, work_pool: str, timers: Sequence[Timer]) -> tuple[int, int]:
        """Schedule exactly these timers; returns how many were created or moved, and how many were
        deleted."""
        by_name: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for flow_run in await self._scheduled(work_pool, None):
            by_name[flow_run["name"]].append(flow_run)
        created = 0
        for timer in timers:
            scheduled = by_name.pop(name_of(timer.owner), [])
            created += await self._settle(work_pool, timer, scheduled)
        rest = [flow_run for flow_runs in by_name.values() for flow_run in flow_runs]
        for flow_run in rest:
            await self._api.delete(f"/flow_runs/{flow_run['id']}")
        return created, len(rest)

    async def _settle(
        self, work_pool: str, timer: Timer, scheduled: Sequence[dict[str, Any]]
    ) -> bool:
        at = datetime.fromisoformat(timer.at)
        right = [flow_run for flow_run in scheduled if _time_of(flow_run) == at][:1]
        for flow_run in scheduled:
            if flow_run not in right:
                await self._api.delete(f"/flow_runs/{flow_run['id']}")
        if right:
            return False
        deployment_id = await self._deployment_id(work_pool)
        flow_run = {
            "name": name_of(timer.owner),
            "labels": labels_of(timer.owner),
            "state": {
                "type": "SCHEDULED",
                "name": "Scheduled",
                "state_details": {"scheduled_time": timer.at},
            },
        }
        await self._api.post(f"/deployments/{deployment_id}/create_flow_run", flow_run)
        return True

    async def _deployment_id(self, work_pool: str) -> str:
        deployment_id = await self._deployments.find(work_pool, TIMERS.owner)
        if deployment_id is None:
            deployment_id = (await self._deployments.put(work_pool, TIMERS)).deployment_id
        return deployment_id

    async def _scheduled(self, work_pool: str, name: str | None) -> list[dict[str, Any]]:
        deployment_id = await self._deployments.find(work_pool, TIMERS.owner)
        if deployment_id is None:
            return []
        flow_runs: dict[str, Any] = {
            "deployment_id": {"any_": [deployment_id]},
            "state": {"type": {"any_": ["SCHEDULED"]}},
        }
        if name is not None:
            flow_runs["name"] = {"any_": [name]}
        return await self._api.all("/flow_runs/filter", {"flow_runs": flow_runs})


def name_of(owner: Owner) -> str:
    """The name of a timer's flow run."""
    return f"{owner.kind} {owner.ref}"


def _time_of(flow_run: dict[str, Any]) -> datetime | None:
    time = flow_run["next_scheduled_start_time"]
    with contextlib.suppress(ValueError, TypeError):
        return datetime.fromisoformat(time)
    return None
