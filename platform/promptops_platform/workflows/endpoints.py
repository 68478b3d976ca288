"""Routes of workflows."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from promptops_flows.engine_client import Connection, RunRequest
from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.access.schemas import Done
from promptops_platform.access.scopes import scope_of
from promptops_platform.db.tables import WorkflowRow
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import BadRequest, StepFailed, TooManyRequests
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.envelope import Data
from promptops_platform.http.transactions import Read, Write
from promptops_platform.ids import new_id
from promptops_platform.prompts.references import referenced_environments
from promptops_platform.runs.executor import RunExecutor
from promptops_platform.text import OptionalLine, OptionalSearchTerm, ResourceId
from promptops_platform.workflows.schemas import (
    RunWorkflow,
    Workflow,
    WorkflowCreate,
    WorkflowResult,
    WorkflowUpdate,
)
from promptops_platform.workflows.service import WorkflowService
from promptops_platform.workspaces.service import WorkspaceService

router = APIRouter(prefix="/api/workflows", tags=["workflows"])


def _service(request: Request) -> WorkflowService:
    service: WorkflowService = request.app.state.workflows
    return service


def _workspaces(request: Request) -> WorkspaceService:
    service: WorkspaceService = request.app.state.workspaces
    return service


Service = Annotated[WorkflowService, Depends(_service)]
Workspaces = Annotated[WorkspaceService, Depends(_workspaces)]


@router.get("")
async def list_workflows(
    service: Service,
    workspaces: Workspaces,
    transaction: Read,
    q: Annotated[OptionalSearchTerm, Query(description="Text in key, name or description.")] = None,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    actor: Actor = permits(Permission.WORKFLOWS_READ),
) -> Data[list[Workflow]]:
    """Workflows, newest change first."""
    workspace_id = None
    if workspace:
        workspace_id = (await workspaces.find(transaction, workspace, actor=actor)).id
    rows = await service.search(transaction, workspace_id, q, actor=actor)
    return Data(data=[Workflow.of(row) for row in rows])


@router.post("")
async def create_workflow(
    body: WorkflowCreate,
    service: Service,
    workspaces: Workspaces,
    transaction: Write,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    actor: Actor = permits(Permission.WORKFLOWS_WRITE),
) -> Data[Workflow]:
    """Save a new definition."""
    named = body.workspace_id or body.workspace or workspace
    found = await workspaces.find_for(transaction, named, Permission.WORKFLOWS_WRITE, actor=actor)
    row = await service.create(
        transaction,
        actor=actor,
        workspace_id=found.id,
        key=body.key,
        fields=_given(body),
    )
    return Data(data=Workflow.of(row))


@router.get("/{workflow_id}")
async def get_workflow(
    workflow_id: ResourceId,
    service: Service,
    transaction: Read,
    actor: Actor = permits(Permission.WORKFLOWS_READ),
) -> Data[Workflow]:
    """A definition."""
    return Data(data=Workflow.of(await service.get(transaction, workflow_id, actor=actor)))


@router.put("/{workflow_id}")
async def update_workflow(
    workflow_id: ResourceId,
    body: WorkflowUpdate,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.WORKFLOWS_WRITE),
) -> Data[Workflow]:
    """Edit a definition. The key stays."""
    row = await service.update(transaction, workflow_id, actor=actor, fields=_given(body))
    return Data(data=Workflow.of(row))


@router.delete("/{workflow_id}")
async def delete_workflow(
    workflow_id: ResourceId,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.WORKFLOWS_WRITE),
) -> Done:
    """Delete a definition; its runs stay in the log."""
    await service.delete(transaction, workflow_id, actor=actor)
    return Done()


@router.post("/{workflow_id}/run", responses=may_answer(StepFailed, TooManyRequests))
async def run_workflow(
    workflow_id: ResourceId,
    request: Request,
    body: RunWorkflow | None = None,
    actor: Actor = permits(Permission.WORKFLOWS_RUN),
) -> WorkflowResult:
    """Run a workflow to its end, as a Prefect flow. No transaction is open meanwhile."""
    asked = body or RunWorkflow()
    database: Database = request.app.state.database
    async with database.read() as transaction:
        workflow = await _service(request).get(
            transaction, workflow_id, actor=actor, permission=Permission.WORKFLOWS_RUN
        )
        workspace = await _workspaces(request).find(transaction, workflow.workspace_id, actor=actor)
    connections = _service(request).connections(workflow, base_url=asked.base_url, actor=actor)
    executor: RunExecutor = request.app.state.executor
    outcome = await executor.run(
        _run_request(workflow, workspace.slug, asked, connections),
        workspace_id=workflow.workspace_id,
        caller_id=actor.caller_id,
        user=actor.name,
        scope=scope_of(referenced_environments(workflow.steps), actor),
    )
    result = WorkflowResult.of(outcome)
    if outcome.end.status == "error":
        fields = result.model_dump(mode="json", exclude={"output"})
        raise StepFailed(outcome.end.error or "the run failed", fields=fields)
    return result


def _run_request(
    workflow: WorkflowRow, workspace: str, asked: RunWorkflow, connections: tuple[Connection, ...]
) -> RunRequest:
    variables = {} if asked.variables is None else asked.variables
    if not isinstance(variables, dict):
        raise BadRequest("variables: must be an object of names and values; send {} for none")
    return RunRequest(
        run_id=new_id(),
        workspace=workspace,
        key=workflow.key,
        name=workflow.name,
        version=str(workflow.version),
        steps=workflow.steps,
        variables=variables,
        api_key=asked.api_key,
        base_url=asked.base_url,
        connections=connections,
    )


def _given(body: WorkflowUpdate) -> dict[str, Any]:
    """The fields that were sent with a value."""
    return body.model_dump(include=set(WorkflowUpdate.model_fields), exclude_none=True)
