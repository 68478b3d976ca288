"""Plans a run of a workflow: resolves everything it needs before it starts."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from promptops_flows.definitions.variables import unfilled_variables
from promptops_flows.json_schemas import findings
from promptops_flows.json_schemas.turns import Turns
from promptops_flows.protocol.engine_client import RunRequest
from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.access.scopes import joint_scope, scope_of
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.definitions.version_reading import VersionReader
from promptops_platform.errors import BadRequest
from promptops_platform.execution.followers import RunFollower
from promptops_platform.execution.order import RunOrder
from promptops_platform.execution.subjects import same_order
from promptops_platform.ids import new_id
from promptops_platform.runlog.tables import RunRow
from promptops_platform.serving.prompt_resolver import PromptResolver
from promptops_platform.workflows.embedding import PlanEmbedder
from promptops_platform.workflows.service import WorkflowService
from promptops_platform.workflows.sources import AgentSource
from promptops_platform.workflows.tables import WorkflowRow
from promptops_platform.workspaces.service import WorkspaceService

SOURCE = "workflow"
# Parts of an object's schema that apply whatever its values are, and the definitions that they
# refer to.
ABOUT_NAMES = frozenset({"type", "required", "$schema", "$id", "$defs", "definitions"})


@dataclass(frozen=True, slots=True)
class WorkflowInputs:
    """What a caller sends with a run; key and address are for the providers of its steps, and are
    not stored after its end. With `stream`, somebody may read the models' texts while they are
    generated."""

    variables: dict[str, Any] = field(default_factory=dict)
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    warnings: tuple[str, ...] = ()
    version: int | None = None
    env: str | None = None
    stream: bool = False


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run that is ready to start."""

    order: RunOrder
    warnings: tuple[str, ...]


class WorkflowPlanner:
    """Looks up everything that a run of a workflow needs; the execution uses it to retry runs."""

    run_permission = Permission.WORKFLOWS_RUN

    def __init__(
        self,
        *,
        database: Database,
        workflows: WorkflowService,
        versions: VersionReader[WorkflowRow],
        workspaces: WorkspaceService,
        prompts: PromptResolver,
        agents: AgentSource,
    ) -> None:
        self._database = database
        self._workflows = workflows
        self._versions = versions
        self._workspaces = workspaces
        self._prompts = prompts
        self._agents = agents

    async def plan(self, workflow_id: str, inputs: WorkflowInputs, *, actor: Actor) -> PlannedRun:
        """Raises NotFound, Forbidden, and BadRequest for a definition that can't run."""
        async with self._database.read() as transaction:
            draft = await self._workflows.get(
                transaction, workflow_id, actor=actor, permission=Permission.WORKFLOWS_RUN
            )
            return await self._planned(transaction, draft, inputs, actor)

    async def check_variables(
        self,
        transaction: Transaction,
        draft: WorkflowRow,
        inputs: WorkflowInputs,
        unknown: Collection[str],
        *,
        actor: Actor,
    ) -> None:
        """Raises BadRequest if the input schema refuses the variables for every possible value of
        the `unknown` ones, and NotFound for a definition that can't run."""
        workflow = await self._versions.runnable(
            transaction, draft, version=inputs.version, env=inputs.env, actor=actor
        )
        variables = {**workflow.defaults, **inputs.variables}
        schema = _open_schema(workflow.input_schema or {}, unknown)
        await _refuse_wrong_variables(schema, variables)

    async def replan(
        self,
        transaction: Transaction,
        old: RunRow,
        request: RunRequest,
        version: int | None,
        *,
        actor: Actor,
    ) -> RunOrder | None:
        """Plan a retry; see `RunSubject`."""
        draft = await self._workflows.find_to_run(
            transaction, old.workspace_id, request.key, actor=actor
        )
        if draft is None:
            return None
        if version is None:
            return same_order(old, request, actor)
        inputs = WorkflowInputs(variables=request.variables, version=version, stream=request.stream)
        order = (await self._planned(transaction, draft, inputs, actor)).order
        return replace(order, scope=joint_scope(order.scope, old.scope))

    def follower(self, _run_id: str, _kept: Mapping[str, Any] | None) -> RunFollower:
        """Return None: a workflow has no follower."""
        return RunFollower()

    async def _planned(
        self, transaction: Transaction, draft: WorkflowRow, inputs: WorkflowInputs, actor: Actor
    ) -> PlannedRun:
        workflow = await self._versions.runnable(
            transaction, draft, version=inputs.version, env=inputs.env, actor=actor
        )
        workspace = await self._workspaces.find(transaction, workflow.workspace_id, actor=actor)
        variables = {**workflow.defaults, **inputs.variables}
        await _refuse_wrong_variables(workflow.input_schema, variables)
        embedder = PlanEmbedder(
            transaction,
            workflow.workspace_id,
            variables,
            workflows=self._workflows,
            versions=self._versions,
            prompts=self._prompts,
            agents=self._agents,
            actor=actor,
        )
        plan = await embedder.embed(self._workflows.parsed(workflow), workflow.key)
        content = self._workflows.content_of(workflow)
        warnings = [*inputs.warnings, *self._workflows.warnings(workflow.workspace_id, content)]
        unfilled = unfilled_variables(plan, variables.keys())
        if workflow.strict and unfilled:
            raise BadRequest(f"variables: {unfilled[0]}; send it, or give it a default")
        environments = self._workflows.environments_of(content) | embedder.environments
        request = RunRequest(
            run_id=new_id(),
            workspace=workspace.slug,
            key=workflow.key,
            name=workflow.name,
            version=str(workflow.version),
            plan=plan,
            variables=variables,
            api_key=inputs.api_key,
            base_url=inputs.base_url,
            source=SOURCE,
            stream=inputs.stream,
            pool=workflow.pool or None,
            connections=self._workflows.connections(
                workflow.workspace_id, plan, base_url=inputs.base_url, actor=actor
            ),
        )
        order = RunOrder(
            request,
            workspace_id=workflow.workspace_id,
            caller_id=actor.caller_id,
            user=actor.name,
            caused_by=actor.caused_by,
            scope=scope_of(environments, actor),
        )
        return PlannedRun(order, tuple(dict.fromkeys([*warnings, *unfilled])))


def _open_schema(schema: Mapping[str, Any], unknown: Collection[str]) -> Mapping[str, Any]:
    """Return the part of the schema that applies to the names, and to the known values."""
    if not unknown:
        return schema
    kept = {name: part for name, part in schema.items() if name in ABOUT_NAMES}
    if schema.get("additionalProperties") is False and not schema.get("patternProperties"):
        kept["additionalProperties"] = False
    properties = dict(schema.get("properties", {}))
    properties |= {name: {} for name in properties.keys() & set(unknown)}
    return {**kept, "properties": properties}


async def _refuse_wrong_variables(
    input_schema: Mapping[str, Any] | None, variables: dict[str, Any]
) -> None:
    if not input_schema:
        return
    # In a thread: the check takes a fraction of a second at most.
    wrong = await Turns().compare(findings, input_schema, variables)
    if wrong:
        raise BadRequest(
            f"variables: {wrong[0]}; see the workflow's input_schema",
            fields={"problems": wrong},
        )
