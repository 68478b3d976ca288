"""Routes of agents."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import JSONResponse, StreamingResponse

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.access.schemas import Done
from promptops_platform.agents.conversation_schemas import Conversation, ConversationDetail
from promptops_platform.agents.conversations import ConversationService
from promptops_platform.agents.planning import AgentInputs
from promptops_platform.agents.results import AgentResult
from promptops_platform.agents.running import AgentRuns
from promptops_platform.agents.schemas import (
    Agent,
    AgentCreate,
    AgentEdit,
    AgentUpdate,
    RunAgent,
)
from promptops_platform.agents.service import AGENTS, AgentService, AgentVersions
from promptops_platform.agents.tables import AgentRow
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
from promptops_platform.http.paging import DEFAULT_PAGE, Limit, Offset, paged_by
from promptops_platform.http.services import provided, services_of
from promptops_platform.http.transactions import Read, Write
from promptops_platform.prompts.json_schemas import check_schemas
from promptops_platform.workspaces.service import WorkspaceService

router = APIRouter(prefix="/api/agents", tags=["agents"])

STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer, or with `stream` the events `start`, `delta`, `tool_call`, "
        "`tool_result`, `usage`, `result` and `error`, whose data is JSON.",
        "content": described(ServerEvent("delta", {"step": 2, "text": "No, it"})),
    }
}


async def _checked_create(body: AgentCreate) -> AgentCreate:
    """Checks before the route's transaction, because the checks take a while and would block
    writers."""
    await check_schemas(body.schemas())
    return body


async def _checked_update(body: AgentEdit) -> AgentEdit:
    await check_schemas(body.schemas())
    return body


Service = Annotated[AgentService, provided(AgentService)]
Workspaces = Annotated[WorkspaceService, provided(WorkspaceService)]
Conversations = Annotated[ConversationService, provided(ConversationService)]


@router.get("")
async def list_agents(
    service: Service,
    workspaces: Workspaces,
    transaction: Read,
    part: Annotated[Part, paged_by("key", "name", "updated_at")],
    q: Annotated[OptionalSearchTerm, Query(description="Text in key, name or description.")] = None,
    tag: ListedTags = None,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    actor: Actor = permits(Permission.AGENTS_READ),
) -> Page[Agent]:
    """List agents, by default the most recently changed first. Without `limit`, all are
    returned."""
    workspace_id = None
    if workspace:
        workspace_id = (await workspaces.find(transaction, workspace, actor=actor)).id
    rows, total = await service.search(transaction, workspace_id, q, part, actor=actor, tag=tag)
    states = await service.states.of_all(transaction, rows)
    shown = [Agent.shown(row, state, actor) for row, state in zip(rows, states, strict=True)]
    return Page(data=shown, total=total)


@router.post("")
async def create_agent(
    body: Annotated[AgentCreate, Depends(_checked_create)],
    response: Response,
    service: Service,
    workspaces: Workspaces,
    transaction: Write,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    actor: Actor = permits(Permission.AGENTS_WRITE),
) -> Data[Agent]:
    """Create an agent."""
    workspace_name = body.workspace_id or body.workspace or workspace
    target = await workspaces.find_for(
        transaction, workspace_name, Permission.AGENTS_WRITE, actor=actor
    )
    row = await service.create(
        transaction, actor=actor, workspace_id=target.id, key=body.key, fields=_sent_fields(body)
    )
    return await _answer(service, transaction, row, response, actor)


@router.get("/{agent_id}")
async def get_agent(
    agent_id: ResourceId,
    response: Response,
    service: Service,
    transaction: Read,
    actor: Actor = permits(Permission.AGENTS_READ),
) -> Data[Agent]:
    """Return the working copy. Its etag is the revision."""
    row = await service.get(transaction, agent_id, actor=actor)
    return await _answer(service, transaction, row, response, actor)


@router.put("/{agent_id}")
async def update_agent(
    agent_id: ResourceId,
    body: Annotated[AgentEdit, Depends(_checked_update)],
    response: Response,
    service: Service,
    transaction: Write,
    if_match: IfMatch = None,
    actor: Actor = permits(Permission.AGENTS_WRITE),
) -> Data[Agent]:
    """Edit the working copy. The key can't be changed.

    With `if-match`, `if_revision` or `if_version`, the response is a 409 with both states if
    somebody else has changed it since; without them the last write wins.
    """
    state = seen(if_match, body.if_revision, body.if_version)
    row = await service.update(
        transaction, agent_id, actor=actor, fields=_sent_fields(body), seen=state
    )
    return await _answer(service, transaction, row, response, actor)


@router.delete("/{agent_id}", responses=PROPOSABLE)
async def delete_agent(
    agent_id: ResourceId,
    service: Service,
    transaction: Write,
    force: Annotated[bool, Query(description="Delete it even if others use it.")] = False,
    if_match: IfMatch = None,
    actor: Actor = permits(Permission.AGENTS_WRITE),
) -> Done:
    """Delete an agent with its versions and conversations; its runs stay in the log.

    If workflows use it, the response is a 409 that names them, unless `force` is true.
    """
    with ordered("delete", agent_id, force=force):
        await service.delete(
            transaction, agent_id, actor=actor, seen=seen(if_match, None), force=force
        )
    return Done()


@router.post(
    "/{agent_id}/run",
    response_model=AgentResult,
    responses={**may_answer(Conflict, StepFailed, TooManyRequests), **STREAMED, **ACCEPTED},
)
async def run_agent(
    agent_id: ResourceId,
    request: Request,
    body: RunAgent | None = None,
    idempotency_key: IdempotencyKey = None,
    actor: Actor = permits(Permission.AGENTS_RUN),
) -> AgentResult | StreamingResponse | JSONResponse:
    """Run an agent as a Prefect flow. With `wait` false, the response doesn't wait for its
    answer."""
    body = body or RunAgent()
    asked, waits = _asked(body, request), body.wait is not False
    runs = services_of(request).get(AgentRuns)
    if not waits:
        refuse_stream(body.stream)

    async def start(key: RunKey | None) -> AgentResult | StreamingResponse | JSONResponse:
        if not waits:
            return accepted(await runs.submit(agent_id, asked, actor=actor, key=key))
        if not asked.stream:
            result = await runs.run(agent_id, asked, actor=actor, key=key)
            return accepted(result) if isinstance(result, StartedRun) else result
        request_id = request.scope["request_id"]
        events = await runs.follow(agent_id, asked, request_id, actor=actor, key=key)
        return event_stream(request, events)

    keyed = await keyed_request(idempotency_key, request, Permission.AGENTS_RUN, actor=actor)
    return await answer_once(request, keyed, services_of(request).get(IdempotentRuns), start)


@router.get("/{agent_id}/conversations")
async def list_conversations(
    agent_id: ResourceId,
    service: Conversations,
    transaction: Read,
    limit: Limit = DEFAULT_PAGE,
    offset: Offset = 0,
    actor: Actor = permits(Permission.AGENTS_READ),
) -> Page[Conversation]:
    """List the conversations that an agent remembers, the latest first."""
    rows, total = await service.page(transaction, agent_id, actor=actor, limit=limit, offset=offset)
    return Page(data=[Conversation.of_row(row) for row in rows], total=total)


@router.get("/{agent_id}/conversations/{conversation_id}")
async def get_conversation(
    agent_id: ResourceId,
    conversation_id: ResourceId,
    service: Conversations,
    transaction: Read,
    limit: Limit = DEFAULT_PAGE,
    actor: Actor = permits(Permission.AGENTS_READ),
) -> Data[ConversationDetail]:
    """Return a conversation with its newest messages in chronological order."""
    row, messages = await service.get(
        transaction, agent_id, conversation_id, actor=actor, newest=limit
    )
    return Data(data=ConversationDetail.with_messages(row, messages))


@router.delete("/{agent_id}/conversations/{conversation_id}")
async def delete_conversation(
    agent_id: ResourceId,
    conversation_id: ResourceId,
    service: Conversations,
    transaction: Write,
    actor: Actor = permits(Permission.AGENTS_WRITE),
) -> Done:
    """Delete a conversation. Messages that a run in progress would add to it are dropped."""
    await service.forget(transaction, agent_id, conversation_id, actor=actor)
    return Done()


def _asked(body: RunAgent, request: Request) -> AgentInputs:
    variables = {} if body.variables is None else body.variables
    if not isinstance(variables, dict):
        raise BadRequest("variables: must be an object of names and values; send {} for none")
    return AgentInputs(
        variables=variables,
        api_key=body.api_key,
        base_url=body.base_url,
        user_text=body.input,
        conversation_id=body.conversation_id,
        subject=body.subject,
        version=body.version,
        env=body.env,
        # The text of a run that nobody waits for is streamed to those who watch it.
        stream=body.wait is False or wants_events(request, body.stream),
    )


def _sent_fields(body: AgentUpdate) -> dict[str, Any]:
    """Return the fields that were sent with a value, as JSON."""
    fields = body.model_dump(mode="json", include=set(AgentUpdate.model_fields))
    return {name: value for name, value in fields.items() if value is not None}


async def _answer(
    service: AgentService,
    transaction: Transaction,
    row: AgentRow,
    response: Response,
    actor: Actor,
) -> Data[Agent]:
    response.headers["etag"] = etag(row)
    state = await service.states.of(transaction, row)
    return Data(data=Agent.shown(row, state, actor))


add_version_routes(router, AGENTS, Agent, AgentVersions)
