"""Routes of workflows."""

from collections.abc import Collection
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from starlette.responses import JSONResponse, StreamingResponse

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.access.schemas import Done
from promptops_platform.db.pages import Part
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.approvals import PROPOSABLE, ordered
from promptops_platform.definitions.endpoints import ListedTags, add_version_routes, seen
from promptops_platform.definitions.preconditions import IfMatch, etag
from promptops_platform.errors import BadRequest, Conflict, StepFailed, TooManyRequests
from promptops_platform.execution.endpoints import ACCEPTED, accepted, refuse_stream
from promptops_platform.execution.idempotency import IdempotentRuns, RunKey
from promptops_platform.execution.keyed_requests import IdempotencyKey, answer_once, keyed_request
from promptops_platform.execution.schemas import StartedRun
from promptops_platform.field_types import OptionalLine, OptionalSearchTerm, ResourceId
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.envelope import Data, Page
from promptops_platform.http.event_stream import ServerEvent, described, event_stream, wants_events
from promptops_platform.http.paging import paged_by
from promptops_platform.http.services import provided
from promptops_platform.http.transactions import Read, Write
from promptops_platform.workflows.planning import WorkflowInputs
from promptops_platform.workflows.running import WorkflowRuns
from promptops_platform.workflows.schemas import (
    CheckWorkflow,
    RunWorkflow,
    SavedWorkflow,
    Workflow,
    WorkflowCreate,
    WorkflowEdit,
    WorkflowProblem,
    WorkflowResult,
    WorkflowUpdate,
    WorkflowValidation,
)
from promptops_platform.workflows.service import WORKFLOWS, WorkflowService, WorkflowVersions
from promptops_platform.workflows.tables import WorkflowRow
from promptops_platform.workspaces.service import WorkspaceService

router = APIRouter(prefix="/api/workflows", tags=["workflows"])

STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The result, or with `stream` the events `start`, `step_started`, `delta`, "
        "`step`, `result`, `waiting` and `error`, whose data is JSON.",
        "content": described(ServerEvent("step_started", {"step": 2, "name": "call"})),
    }
}


Service = Annotated[WorkflowService, provided(WorkflowService)]
Workspaces = Annotated[WorkspaceService, provided(WorkspaceService)]


@router.get("")
async def list_workflows(
    service: Service,
    workspaces: Workspaces,
    transaction: Read,
    part: Annotated[Part, paged_by("key", "name", "updated_at")],
    q: Annotated[OptionalSearchTerm, Query(description="Text in key, name or description.")] = None,
    tag: ListedTags = None,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    actor: Actor = permits(Permission.WORKFLOWS_READ),
) -> Page[Workflow]:
    """List workflows, by default the most recently changed first. Without `limit`, all are
    returned."""
    workspace_id = None
    if workspace:
        workspace_id = (await workspaces.find(transaction, workspace, actor=actor)).id
    rows, total = await service.search(transaction, workspace_id, q, part, actor=actor, tag=tag)
    states = await service.states.of_all(transaction, rows)
    shown = [Workflow.shown(row, state, actor) for row, state in zip(rows, states, strict=True)]
    return Page(data=shown, total=total)


@router.post("")
async def create_workflow(
    body: WorkflowCreate,
    response: Response,
    service: Service,
    workspaces: Workspaces,
    transaction: Write,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    actor: Actor = permits(Permission.WORKFLOWS_WRITE),
) -> SavedWorkflow:
    """Create a workflow."""
    workspace_name = body.workspace_id or body.workspace or workspace
    target = await workspaces.find_for(
        transaction, workspace_name, Permission.WORKFLOWS_WRITE, actor=actor
    )
    row = await service.create(
        transaction,
        actor=actor,
        workspace_id=target.id,
        key=body.key,
        fields=_sent_fields(body),
    )
    return await _saved(service, transaction, row, body, response, actor)


@router.post("/validate")
async def validate_workflow(
    body: CheckWorkflow,
    service: Service,
    workspaces: Workspaces,
    transaction: Read,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    actor: Actor = permits(Permission.WORKFLOWS_READ),
) -> WorkflowValidation:
    """Check a definition: return what would keep it from running, and what has no effect. Nothing
    is saved."""
    target = await workspaces.find(transaction, workspace, actor=actor)
    # Missing steps are a problem, as they are when a workflow is saved.
    definition = {"steps": body.steps} | body.model_dump(
        include=set(CheckWorkflow.model_fields), exclude_none=True
    )
    problems, warnings = service.validate(target.id, definition, actor=actor)
    unknown = _unknown(body, Workflow.model_fields)
    return WorkflowValidation(
        data=[WorkflowProblem.of(problem) for problem in problems], warnings=[*unknown, *warnings]
    )


@router.get("/{workflow_id}")
async def get_workflow(
    workflow_id: ResourceId,
    response: Response,
    service: Service,
    transaction: Read,
    actor: Actor = permits(Permission.WORKFLOWS_READ),
) -> Data[Workflow]:
    """Return the working copy. Its etag is the revision."""
    row = await service.get(transaction, workflow_id, actor=actor)
    return await _answer(service, transaction, row, response, actor)


@router.put("/{workflow_id}")
async def update_workflow(
    workflow_id: ResourceId,
    body: WorkflowEdit,
    response: Response,
    service: Service,
    transaction: Write,
    if_match: IfMatch = None,
    actor: Actor = permits(Permission.WORKFLOWS_WRITE),
) -> SavedWorkflow:
    """Edit the working copy. The key can't be changed.

    With `if-match`, `if_revision` or `if_version`, the response is a 409 with both states if
    somebody else has changed it since; without them the last write wins.
    """
    state = seen(if_match, body.if_revision, body.if_version)
    row = await service.update(
        transaction, workflow_id, actor=actor, fields=_sent_fields(body), seen=state
    )
    return await _saved(service, transaction, row, body, response, actor)


@router.delete("/{workflow_id}", responses=PROPOSABLE)
async def delete_workflow(
    workflow_id: ResourceId,
    service: Service,
    transaction: Write,
    force: Annotated[bool, Query(description="Delete it even if others use it.")] = False,
    if_match: IfMatch = None,
    actor: Actor = permits(Permission.WORKFLOWS_WRITE),
) -> Done:
    """Delete a workflow with its versions; its runs stay in the log.

    If other workflows use it, the response is a 409 that names them, unless `force` is true.
    """
    with ordered("delete", workflow_id, force=force):
        await service.delete(
            transaction, workflow_id, actor=actor, seen=seen(if_match, None), force=force
        )
    return Done()


@router.post(
    "/{workflow_id}/run",
    response_model=WorkflowResult,
    responses={**may_answer(Conflict, StepFailed, TooManyRequests), **STREAMED, **ACCEPTED},
)
async def run_workflow(
    workflow_id: ResourceId,
    request: Request,
    runs: Annotated[WorkflowRuns, provided(WorkflowRuns)],
    idempotent: Annotated[IdempotentRuns, provided(IdempotentRuns)],
    body: RunWorkflow | None = None,
    idempotency_key: IdempotencyKey = None,
    actor: Actor = permits(Permission.WORKFLOWS_RUN),
) -> WorkflowResult | StreamingResponse | JSONResponse:
    """Run a workflow as a Prefect flow. With `wait` false, the response doesn't wait for its end.

    A run that waits for an approval is returned immediately, with status 202.
    """
    asked = body or RunWorkflow()
    inputs = _inputs(asked, request)
    if asked.wait is False:
        refuse_stream(asked.stream)

    async def start(key: RunKey | None) -> WorkflowResult | StreamingResponse | JSONResponse:
        if asked.wait is False:
            return accepted(await runs.submit(workflow_id, inputs, actor=actor, key=key))
        if not wants_events(request, asked.stream):
            result = await runs.run(workflow_id, inputs, actor=actor, key=key)
            return accepted(result) if isinstance(result, StartedRun) else result
        request_id = request.scope["request_id"]
        events = await runs.follow(workflow_id, inputs, request_id, actor=actor, key=key)
        return event_stream(request, events)

    keyed = await keyed_request(idempotency_key, request, Permission.WORKFLOWS_RUN, actor=actor)
    return await answer_once(request, keyed, idempotent, start)


def _inputs(body: RunWorkflow, request: Request) -> WorkflowInputs:
    variables = {} if body.variables is None else body.variables
    if not isinstance(variables, dict):
        raise BadRequest("variables: must be an object of names and values; send {} for none")
    return WorkflowInputs(
        warnings=_unknown(body, ()),
        variables=variables,
        api_key=body.api_key,
        base_url=body.base_url,
        version=body.version,
        env=body.env,
        # The text of a run that nobody waits for is streamed to those who watch it.
        stream=body.wait is False or wants_events(request, body.stream),
    )


def _sent_fields(body: WorkflowUpdate) -> dict[str, Any]:
    """Return the fields that were sent with a value."""
    return body.model_dump(include=set(WorkflowUpdate.model_fields), exclude_none=True)


def _unknown(body: BaseModel, harmless: Collection[str]) -> tuple[str, ...]:
    """Return a warning for each unknown field that was sent."""
    extra = [name for name in body.model_extra or {} if name not in harmless]
    return tuple(f"field '{name[:40]}' is unknown and has no effect" for name in extra)


async def _saved(
    service: WorkflowService,
    transaction: Transaction,
    row: WorkflowRow,
    body: BaseModel,
    response: Response,
    actor: Actor,
) -> SavedWorkflow:
    answer = await _answer(service, transaction, row, response, actor)
    # Consoles send back every field of the previous response.
    unknown = _unknown(body, Workflow.model_fields)
    warnings = service.warnings(row.workspace_id, service.content_of(row))
    return SavedWorkflow(data=answer.data, warnings=[*unknown, *warnings])


async def _answer(
    service: WorkflowService,
    transaction: Transaction,
    row: WorkflowRow,
    response: Response,
    actor: Actor,
) -> Data[Workflow]:
    response.headers["etag"] = etag(row)
    state = await service.states.of(transaction, row)
    return Data(data=Workflow.shown(row, state, actor))


add_version_routes(router, WORKFLOWS, Workflow, WorkflowVersions)
