"""Converts a deployment of the platform to a request body for Prefect, and compares it with an
existing one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptops_flows.engine.compiled_run import flow_name
from promptops_flows.engine.prefect_schedules import normalized_schedule, schedules_of
from promptops_flows.engine.printable import printable
from promptops_flows.protocol.deployment_messages import Deployment, Owner

DEFAULT_POOL = "promptops"
# Labels of deployments, which their flow runs inherit; Prefect's pages don't show them.
KIND, REF, PAUSED = "promptops.kind", "promptops.ref", "promptops.paused"
_SLUG = "promptops"


def flow_of(deployment: Deployment) -> str:
    """The name of the deployment's flow."""
    return flow_name(deployment.workspace, deployment.key)


def body_of(deployment: Deployment, work_pool: str, flow_id: str) -> dict[str, Any]:
    """The body that creates the deployment or replaces all of its fields."""
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
    """The deployment's name in Prefect. Its pool is part of it, since several installations may
    share one Prefect server."""
    suffix = "" if work_pool == DEFAULT_POOL else f" ({work_pool})"
    return printable(deployment.name) + suffix


def owner_in(fields: Mapping[str, Any]) -> Owner | None:
    """The owner of a deployment or a flow run; None if no platform created it."""
    labels = fields.get("labels") or {}
    if KIND not in labels or REF not in labels:
        return None
    return Owner(str(labels[KIND]), str(labels[REF]))


def labels_of(owner: Owner) -> dict[str, Any]:
    """The labels that `owner_in` reads."""
    return {KIND: owner.kind, REF: owner.ref}


@dataclass(frozen=True, slots=True)
class ExistingDeployment:
    """A deployment that exists in Prefect."""

    fields: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.fields["id"])

    @property
    def name(self) -> str:
        return str(self.fields["name"])

    @property
    def owner(self) -> Owner | None:
        """None for a deployment that no platform created."""
        return owner_in(self.fields)

    @property
    def is_paused(self) -> bool:
        """Whether its schedule is paused."""
        schedules = self.fields["schedules"]
        inactive = bool(schedules) and not any(schedule["active"] for schedule in schedules)
        return bool(self.fields["paused"]) or inactive

    @property
    def was_paused_by_platform(self) -> bool:
        """Whether the platform created or last updated it as paused."""
        return bool((self.fields.get("labels") or {}).get(PAUSED))

    def differs_from(self, body: dict[str, Any]) -> bool:
        """Whether it needs an update."""
        plain = ("name", "flow_id", "description", "work_pool_name", "parameters")
        if any(self.fields.get(name) != body[name] for name in plain):
            return True
        if sorted(self.fields["tags"]) != sorted(body["tags"]):
            return True
        if (
            self.was_paused_by_platform != body["labels"][PAUSED]
            or self.is_paused != self.was_paused_by_platform
        ):
            return True
        own = [schedule["schedule"] for schedule in self.fields["schedules"]]
        asked = [schedule["schedule"] for schedule in body["schedules"]]
        return list(map(normalized_schedule, own)) != list(map(normalized_schedule, asked))
