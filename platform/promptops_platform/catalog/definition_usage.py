"""Finds who is affected by a change of an agent or a workflow."""

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.permissions import Permission
from promptops_platform.agents.service import AgentService
from promptops_platform.catalog.schemas import CallerUse, DefinitionUsage, StepUse
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.runlog.callers import RunCallers
from promptops_platform.workflows.service import WorkflowService
from promptops_platform.workflows.step_targets import TargetType, workflows_running


class DefinitionUses:
    """Reads only. What the caller can't see is left out."""

    def __init__(
        self,
        *,
        grants: Grants,
        agents: AgentService,
        workflows: WorkflowService,
        callers: RunCallers,
    ) -> None:
        self._grants = grants
        self._agents = agents
        self._workflows = workflows
        self._callers = callers

    async def of_agent(
        self, transaction: Transaction, agent_id: str, *, actor: Actor
    ) -> DefinitionUsage:
        """Return what runs an agent; raises NotFound and Forbidden."""
        row = await self._agents.get(transaction, agent_id, actor=actor)
        return await self._usage(transaction, row.workspace_id, "agent", row.key, actor)

    async def of_workflow(
        self, transaction: Transaction, workflow_id: str, *, actor: Actor
    ) -> DefinitionUsage:
        """Return what runs a workflow; raises NotFound and Forbidden."""
        row = await self._workflows.get(transaction, workflow_id, actor=actor)
        return await self._usage(transaction, row.workspace_id, "workflow", row.key, actor)

    async def _usage(
        self, transaction: Transaction, workspace_id: str, type_: TargetType, key: str, actor: Actor
    ) -> DefinitionUsage:
        uses = await workflows_running(transaction, workspace_id, type_, key, actor=actor)
        return DefinitionUsage(
            workflows=[
                StepUse(
                    id=use.workflow.id,
                    key=use.workflow.key,
                    name=use.workflow.name,
                    steps=use.steps,
                    version=use.version,
                )
                for use in uses
            ],
            callers=await self._callers_of(transaction, workspace_id, type_, key, actor),
        )

    async def _callers_of(
        self, transaction: Transaction, workspace_id: str, type_: TargetType, key: str, actor: Actor
    ) -> list[CallerUse]:
        """None for an API key that is limited to environments, because it can't see others'
        runs."""
        if actor.environments:
            return []
        self._grants.require(actor, Permission.RUNS_READ, workspace_id)
        callers = await self._callers.of_last_week(transaction, workspace_id, type_, key)
        return [CallerUse(name=name, runs=runs) for name, runs in callers]
