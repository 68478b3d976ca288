"""Sends the platform's events to Prefect, and manages the automation that starts runs for them.

One automation serves all deployments of a work pool, so that the cost of an event doesn't depend on
their number: it runs the deployment that the event names as a related resource.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from promptops_flows.engine.deployments import Deployments
from promptops_flows.engine.prefect_api import PrefectApi
from promptops_flows.protocol.deployment_messages import Deployment, PlatformEvent

_POOL_LABEL = "promptops.work-pool"


class PlatformEvents:
    """The automation is created before the first deployment that only events start, since Prefect
    takes a moment to activate it. If somebody disables it in Prefect, events start no runs."""

    def __init__(self, api: PrefectApi, deployments: Deployments) -> None:
        self._api = api
        self._deployments = deployments
        self._automated: set[str] = set()

    async def automate(self, work_pool: str, deployments: Sequence[Deployment]) -> None:
        """Make sure that events start the deployments that have no timetable."""
        if all(deployment.timetable for deployment in deployments):
            return
        if work_pool not in self._automated:
            automation = _automation(work_pool)
            filters = {"automations": {"name": {"any_": [automation["name"]]}}}
            if not await self._api.post("/automations/filter", filters):
                await self._api.post("/automations/", automation)
            self._automated.add(work_pool)

    def prefect_is_back(self) -> None:
        """Prefect may have lost its automations while it was away."""
        self._automated.clear()

    async def emit(self, work_pool: str, events: Sequence[PlatformEvent]) -> None:
        """Returns once Prefect has accepted the events."""
        bodies = []
        for event in events:
            deployment_id = await self._deployments.find(work_pool, event.owner)
            if deployment_id is not None:
                bodies.append(_body(work_pool, event, deployment_id))
        if bodies:
            await self._api.post("/events/", bodies)


def _body(work_pool: str, event: PlatformEvent, deployment_id: str) -> dict[str, Any]:
    return {
        "id": event.id,
        "event": event.name,
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {
            "prefect.resource.id": f"promptops.{event.owner.kind}.{event.owner.ref}",
            _POOL_LABEL: work_pool,
        },
        "related": [
            {
                "prefect.resource.id": f"prefect.deployment.{deployment_id}",
                "prefect.resource.role": "deployment",
            }
        ],
        "payload": {**event.payload, "parameter": event.parameter},
    }


def _automation(work_pool: str) -> dict[str, Any]:
    return {
        "name": f"{work_pool}: run what an event triggers",
        "description": "Made by PromptOps: runs the deployment that an event of it names",
        "enabled": True,
        "tags": ["promptops"],
        "trigger": {
            "type": "event",
            "posture": "Reactive",
            "expect": ["promptops.*"],
            "match": {_POOL_LABEL: work_pool},
            "threshold": 1,
            "within": 0,
        },
        "actions": [
            {
                "type": "run-deployment",
                "source": "inferred",
                "parameters": {
                    "event": {
                        "__prefect_kind": "jinja",
                        "template": "{{ event.payload.parameter }}",
                    }
                },
            }
        ],
    }
