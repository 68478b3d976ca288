"""Starts a trigger's run of a workflow or an agent."""

from dataclasses import replace
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Role
from promptops_platform.deployments.kinds import DueRun
from promptops_platform.execution.detached import Also
from promptops_platform.targets.run_targets import RunTarget, RunTargets
from promptops_platform.triggers.firing import chain_after
from promptops_platform.triggers.tables import FiringRow, TriggerRow
from promptops_platform.triggers.targets import definition_of
from promptops_platform.triggers.templates import EventTemplates


class TriggeredRuns:
    """The run is executed by the flow run that Prefect has created for the event."""

    def __init__(self, *, templates: EventTemplates, targets: RunTargets) -> None:
        self._templates = templates
        self._targets = targets

    async def start(
        self,
        trigger: TriggerRow,
        firing: FiringRow,
        event: dict[str, Any],
        due: DueRun,
        also: Also,
    ) -> None:
        """Record the run; it starts when its turn comes. Raises UnusableEvent, NotFound for a
        deleted definition, BadRequest for one that can't run, and TooManyRequests."""
        action = trigger.action
        variables = await self._templates.fill(action.get("variables", {}), event)
        causes = chain_after(trigger.id, firing.causes)
        kind, key = definition_of(action)
        target = RunTarget(kind, key, action.get("version"), action.get("env"), variables)
        await self._targets.submit(
            trigger.workspace_id,
            target,
            actor=actor_of_trigger(trigger),
            change=lambda order: replace(due.on(order), causes=causes),
            also=also,
        )


def actor_of_trigger(trigger: TriggerRow) -> Actor:
    """Return the actor of its runs: it may run what its workspace has, and nothing else."""
    name = f"trigger {trigger.key}"
    return Actor(name, Role.VIEWER, workspace_id=trigger.workspace_id)
