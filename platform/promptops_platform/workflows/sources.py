"""The interface through which workflows use agents, whose room is beside this one."""

from __future__ import annotations

from typing import Protocol

from promptops_flows.steps.plans import AgentPlan
from promptops_flows.steps.targets import DefinitionTarget
from promptops_platform.access.actor import Actor
from promptops_platform.db.unit_of_work import Transaction


class InnerAgent(Protocol):
    """An agent as part of a run."""

    @property
    def plan(self) -> AgentPlan: ...

    @property
    def version(self) -> str: ...

    @property
    def environments(self) -> frozenset[str]: ...


class AgentSource(Protocol):
    async def inner_plan(
        self,
        transaction: Transaction,
        workspace_id: str,
        target: DefinitionTarget,
        subject: str | None,
        *,
        actor: Actor,
    ) -> InnerAgent | None:
        """Return an agent by key; None if the workspace has none with this key."""
