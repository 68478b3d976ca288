"""Starts the run of a workflow or an agent that a trigger is for."""

from dataclasses import replace
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Role
from promptops_platform.agents.planning import AgentPlanner, AskedRun
from promptops_platform.agents.service import AgentService
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.deployments.kinds import DueRun
from promptops_platform.errors import NotFound
from promptops_platform.execution.detached import Also, DetachedRuns
from promptops_platform.execution.followers import RunFollower
from promptops_platform.execution.order import RunOrder
from promptops_platform.prompts.json_schemas import judge_schemas
from promptops_platform.triggers.firing import chain_after
from promptops_platform.triggers.tables import FiringRow, TriggerRow
from promptops_platform.triggers.targets import definition_of
from promptops_platform.triggers.templates import EventTemplates
from promptops_platform.workflows.planning import WorkflowInputs, WorkflowPlanner
from promptops_platform.workflows.service import WorkflowService


class TriggeredRuns:
    """The run executes the flow run that Prefect has made for the event."""

    def __init__(
        self,
        *,
        database: Database,
        templates: EventTemplates,
        workflows: WorkflowService,
        workflow_planner: WorkflowPlanner,
        agents: AgentService,
        agent_planner: AgentPlanner,
        detached: DetachedRuns,
    ) -> None:
        self._database = database
        self._templates = templates
        self._workflows = workflows
        self._workflow_planner = workflow_planner
        self._agents = agents
        self._agent_planner = agent_planner
        self._detached = detached

    async def start(
        self,
        trigger: TriggerRow,
        firing: FiringRow,
        event: dict[str, Any],
        due: DueRun,
        also: Also,
    ) -> None:
        """Record the run; it begins when its turn comes. Raises UnusableEvent, NotFound for a
        definition that is gone, BadRequest for one that can't run, and TooManyRequests."""
        action = trigger.action
        variables = await self._templates.fill(action.get("variables", {}), event)
        actor = actor_of_trigger(trigger)
        noun, _ = definition_of(action)
        plan = self._planned_workflow if noun == "workflow" else self._planned_agent
        order, follower = await plan(trigger, variables, actor)
        causes = chain_after(trigger.id, firing.causes)
        await self._detached.submit(replace(due.on(order), causes=causes), follower, also=also)

    async def _planned_workflow(
        self, trigger: TriggerRow, variables: dict[str, Any], actor: Actor
    ) -> tuple[RunOrder, RunFollower]:
        version, env = trigger.action.get("version"), trigger.action.get("env")
        async with self._database.read() as transaction:
            row_id = await self._find(transaction, self._workflows, trigger, actor)
        inputs = WorkflowInputs(variables=variables, version=version, env=env)
        planned = await self._workflow_planner.plan(row_id, inputs, actor=actor)
        return planned.order, RunFollower()

    async def _planned_agent(
        self, trigger: TriggerRow, variables: dict[str, Any], actor: Actor
    ) -> tuple[RunOrder, RunFollower]:
        version, env = trigger.action.get("version"), trigger.action.get("env")
        asked = AskedRun(variables=variables, version=version, env=env)
        async with self._database.read() as transaction:
            row_id = await self._find(transaction, self._agents, trigger, actor)
            planned = await self._agent_planner.plan(transaction, row_id, asked, actor=actor)
        await judge_schemas(planned.schemas)
        run_id = planned.order.request.run_id
        return planned.order, self._agent_planner.follower(run_id, None)

    async def _find(
        self, transaction: Transaction, definitions: Any, trigger: TriggerRow, actor: Actor
    ) -> str:
        noun, key = definition_of(trigger.action)
        row = await definitions.find_to_run(transaction, trigger.workspace_id, key, actor=actor)
        if row is None:
            raise NotFound(f"{noun} {key!r} is gone; change what trigger {trigger.key!r} runs")
        return str(row.id)


def actor_of_trigger(trigger: TriggerRow) -> Actor:
    """In whose name its runs are made: it may run what its workspace has, and nothing else."""
    name = f"trigger {trigger.key}"
    return Actor(name, Role.VIEWER, workspace_id=trigger.workspace_id)
