"""A deployment of the platform as the body of Prefect's API, and how one there differs from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptops_flows.engine.compiled_run import flow_name
from promptops_flows.engine.prefect_schedules import as_prefect_has, schedules_of
from promptops_flows.engine.printable import printable
from promptops_flows.protocol.deployment_messages import Deployment, Owner

DEFAULT_POOL = "promptops"
# Labels of deployments, which their flow runs inherit; users don't see them.
KIND, REF, PAUSED = "promptops.kind", "promptops.ref", "promptops.paused"
_SLUG = "promptops"


def flow_of(deployment: Deployment) -> str:
    """The name of its flow."""
    return flow_name(deployment.workspace, deployment.key)


def body_of(deployment: Deployment, work_pool: str, flow_id: str) -> dict[str, Any]:
    """What creates it, or changes it as a whole."""
    return {
        "name": name_in(work_pool, deployment),
        "flow_id": flow_id,
        "work_pool_name": work_pool,
        "description": deployment.description,
        "tags": ["promptops", *deployment.tags],
        "labels": {**labels_of(deployment.owner), PAUSED: deployment.paused},
        "parameters": deployment.parameters,
        "enforce_parameter_schema": False,
        "paused": False,
        "schedules": [
            {"schedule": schedule, "active": not deployment.paused, "slug": _SLUG}
            for schedule in schedules_of(deployment.timetable)
        ],
    }


def name_in(work_pool: str, deployment: Deployment) -> str:
    """Its name; several installations at one Prefect server have pools of their own."""
    suffix = "" if work_pool == DEFAULT_POOL else f" ({work_pool})"
    return printable(deployment.name) + suffix


def owner_in(fields: Mapping[str, Any]) -> Owner | None:
    """Whom a deployment or a flow run is for; None where no platform has made it."""
    labels = fields.get("labels") or {}
    if KIND not in labels or REF not in labels:
        return None
    return Owner(str(labels[KIND]), str(labels[REF]))


def labels_of(owner: Owner) -> dict[str, Any]:
    """Which `owner_in` reads."""
    return {KIND: owner.kind, REF: owner.ref}


@dataclass(frozen=True, slots=True)
class HeldDeployment:
    """A deployment as Prefect has it."""

    fields: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.fields["id"])

    @property
    def name(self) -> str:
        return str(self.fields["name"])

    @property
    def owner(self) -> Owner | None:
        """None for a deployment of somebody else."""
        return owner_in(self.fields)

    @property
    def is_paused(self) -> bool:
        """Whether nothing becomes due by its timetable."""
        schedules = self.fields["schedules"]
        inactive = bool(schedules) and not any(schedule["active"] for schedule in schedules)
        return bool(self.fields["paused"]) or inactive

    @property
    def was_put_paused(self) -> bool:
        """How the platform had put it."""
        return bool((self.fields.get("labels") or {}).get(PAUSED))

    def differs_from(self, body: dict[str, Any]) -> bool:
        """Whether it is to be put again."""
        plain = ("name", "flow_id", "description", "work_pool_name", "parameters")
        if any(self.fields.get(name) != body[name] for name in plain):
            return True
        if sorted(self.fields["tags"]) != sorted(body["tags"]):
            return True
        if self.was_put_paused != body["labels"][PAUSED] or self.is_paused != self.was_put_paused:
            return True
        own = [schedule["schedule"] for schedule in self.fields["schedules"]]
        asked = [schedule["schedule"] for schedule in body["schedules"]]
        return list(map(as_prefect_has, own)) != list(map(as_prefect_has, asked))
