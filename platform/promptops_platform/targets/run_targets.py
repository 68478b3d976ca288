"""What schedules and triggers run: a version of an agent or a workflow, or what an environment
serves."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from promptops_platform.access.actor import Actor
from promptops_platform.agents.planning import AgentInputs, AgentPlanner
from promptops_platform.agents.running import AgentRuns
from promptops_platform.agents.service import AgentService
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.definitions.service import DefinitionService
from promptops_platform.errors import NotFound
from promptops_platform.execution.detached import Also
from promptops_platform.execution.order import OrderChange
from promptops_platform.runlog.tables import RunRow
from promptops_platform.workflows.planning import WorkflowInputs, WorkflowPlanner
from promptops_platform.workflows.running import WorkflowRuns
from promptops_platform.workflows.service import WorkflowService

TargetKind = Literal["agent", "workflow"]


@dataclass(frozen=True, slots=True)
class RunTarget:
    """A definition by key. At most one of `version` and `env` is set; without both, it is the
    working copy."""

    kind: TargetKind
    key: str
    version: int | None = None
    env: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)


class TargetGone(NotFound):
    """The definition does not exist, or no longer exists."""

    code = "target_not_found"


class RunTargets:
    """Opens its own transactions."""

    def __init__(
        self,
        *,
        database: Database,
        agents: AgentService,
        workflows: WorkflowService,
        agent_planner: AgentPlanner,
        workflow_planner: WorkflowPlanner,
        agent_runs: AgentRuns,
        workflow_runs: WorkflowRuns,
    ) -> None:
        self._database = database
        self._services: dict[str, DefinitionService[Any]] = {
            "agent": agents,
            "workflow": workflows,
        }
        self._agent_planner = agent_planner
        self._workflow_planner = workflow_planner
        self._agent_runs = agent_runs
        self._workflow_runs = workflow_runs

    async def exists(self, transaction: Transaction, workspace_id: str, target: RunTarget) -> bool:
        """Whether the definition exists, without a permission check."""
        service = self._services[target.kind]
        return await service.key_exists(transaction, workspace_id, target.key)

    async def existing(
        self, transaction: Transaction, places: Collection[tuple[str, str, str]]
    ) -> set[tuple[str, str, str]]:
        """Return which of these definitions exist, by kind, workspace and key."""
        return {
            (kind, workspace_id, key)
            for kind, service in self._services.items()
            for workspace_id, key in await service.existing_keys(
                transaction, {place[1:] for place in places if place[0] == kind}
            )
        }

    async def check(self, workspace_id: str, target: RunTarget, *, actor: Actor) -> None:
        """Raises TargetGone, Forbidden, and the errors that a run would raise: NotFound for a
        version or an environment that doesn't serve it, BadRequest for variables that don't match
        its input schema."""
        resource_id = await self._find(workspace_id, target, actor)
        if target.kind == "workflow":
            await self._workflow_planner.plan(resource_id, _inputs(target), actor=actor)
            return
        async with self._database.read() as transaction:
            await self._agent_planner.plan(transaction, resource_id, _asked(target), actor=actor)

    async def submit(
        self,
        workspace_id: str,
        target: RunTarget,
        *,
        actor: Actor,
        change: OrderChange,
        also: Also | None = None,
    ) -> RunRow:
        """Record a run that continues in the background; raises what `check` raises, and
        TooManyRequests. `change` modifies the planned order, `also` writes in the run's
        transaction."""
        resource_id = await self._find(workspace_id, target, actor)
        if target.kind == "workflow":
            return await self._workflow_runs.start(
                resource_id, _inputs(target), actor=actor, also=also, change=change
            )
        return await self._agent_runs.start(
            resource_id, _asked(target), actor=actor, also=also, change=change
        )

    async def _find(self, workspace_id: str, target: RunTarget, actor: Actor) -> str:
        async with self._database.read() as transaction:
            row = await self._services[target.kind].find_to_run(
                transaction, workspace_id, target.key, actor=actor
            )
        if row is None:
            raise TargetGone(
                f"{target.kind}: there is no {target.kind} {target.key!r} in this workspace; "
                f"GET /api/{target.kind}s lists them"
            )
        return str(row.id)


def _inputs(target: RunTarget) -> WorkflowInputs:
    return WorkflowInputs(
        variables=dict(target.variables), version=target.version, env=target.env, stream=True
    )


def _asked(target: RunTarget) -> AgentInputs:
    return AgentInputs(
        variables=dict(target.variables), version=target.version, env=target.env, stream=True
    )
