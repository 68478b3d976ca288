"""Routes of agents."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import StreamingResponse

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.access.schemas import Done
from promptops_platform.agents.conversation_schemas import Conversation, ConversationDetail
from promptops_platform.agents.conversations import ConversationService
from promptops_platform.agents.planning import AgentPlanner, AskedRun
from promptops_platform.agents.results import AgentResult
from promptops_platform.agents.running import AgentRuns
from promptops_platform.agents.schemas import Agent, AgentCreate, AgentUpdate, RunAgent
from promptops_platform.agents.service import AgentService
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import BadRequest, StepFailed, TooManyRequests
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.envelope import Data, Page
from promptops_platform.http.event_stream import ServerEvent, described, event_stream, wants_events
from promptops_platform.http.paging import DEFAULT_PAGE, Limit, Offset
from promptops_platform.http.transactions import Read, Write
from promptops_platform.prompts.json_schemas import judge_schemas
from promptops_platform.text import OptionalLine, OptionalSearchTerm, ResourceId
from promptops_platform.workspaces.service import WorkspaceService

router = APIRouter(prefix="/api/agents", tags=["agents"])

STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer, or with `stream` the events `start`, `delta`, `tool_call`, "
        "`tool_result`, `usage`, `result` and `error`, whose data is JSON.",
        "content": described(ServerEvent("delta", {"step": 2, "text": "No, it"})),
    }
}


def _service(request: Request) -> AgentService:
    service: AgentService = request.app.state.agents
    return service


def _workspaces(request: Request) -> WorkspaceService:
    service: WorkspaceService = request.app.state.workspaces
    return service


def _conversations(request: Request) -> ConversationService:
    service: ConversationService = request.app.state.conversations
    return service


async def _judged_create(body: AgentCreate) -> AgentCreate:
    """Before the route's transaction begins: judging takes a while, and blocks no writer."""
    await judge_schemas(body.schemas())
    return body


async def _judged_update(body: AgentUpdate) -> AgentUpdate:
    await judge_schemas(body.schemas())
    return body


Service = Annotated[AgentService, Depends(_service)]
Workspaces = Annotated[WorkspaceService, Depends(_workspaces)]
Conversations = Annotated[ConversationService, Depends(_conversations)]


@router.get("")
async def list_agents(
    service: Service,
    workspaces: Workspaces,
    transaction: Read,
    q: Annotated[OptionalSearchTerm, Query(description="Text in key, name or description.")] = None,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    actor: Actor = permits(Permission.AGENTS_READ),
) -> Data[list[Agent]]:
    """Agents, newest change first."""
    workspace_id = None
    if workspace:
        workspace_id = (await workspaces.find(transaction, workspace, actor=actor)).id
    rows = await service.search(transaction, workspace_id, q, actor=actor)
    return Data(data=[Agent.of(row) for row in rows])


@router.post("")
async def create_agent(
    body: Annotated[AgentCreate, Depends(_judged_create)],
    service: Service,
    workspaces: Workspaces,
    transaction: Write,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    actor: Actor = permits(Permission.AGENTS_WRITE),
) -> Data[Agent]:
    """Save a new agent."""
    named = body.workspace_id or body.workspace or workspace
    found = await workspaces.find_for(transaction, named, Permission.AGENTS_WRITE, actor=actor)
    row = await service.create(
        transaction, actor=actor, workspace_id=found.id, key=body.key, fields=_given(body)
    )
    return Data(data=Agent.of(row))


@router.get("/{agent_id}")
async def get_agent(
    agent_id: ResourceId,
    service: Service,
    transaction: Read,
    actor: Actor = permits(Permission.AGENTS_READ),
) -> Data[Agent]:
    """An agent."""
    return Data(data=Agent.of(await service.get(transaction, agent_id, actor=actor)))


@router.put("/{agent_id}")
async def update_agent(
    agent_id: ResourceId,
    body: Annotated[AgentUpdate, Depends(_judged_update)],
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.AGENTS_WRITE),
) -> Data[Agent]:
    """Edit an agent. The key stays."""
    row = await service.update(transaction, agent_id, actor=actor, fields=_given(body))
    return Data(data=Agent.of(row))


@router.delete("/{agent_id}")
async def delete_agent(
    agent_id: ResourceId,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.AGENTS_WRITE),
) -> Done:
    """Delete an agent with what it remembers; its runs stay in the log."""
    await service.delete(transaction, agent_id, actor=actor)
    return Done()


@router.post(
    "/{agent_id}/run",
    response_model=AgentResult,
    responses={**may_answer(StepFailed, TooManyRequests), **STREAMED},
)
async def run_agent(
    agent_id: ResourceId,
    request: Request,
    body: RunAgent | None = None,
    actor: Actor = permits(Permission.AGENTS_RUN),
) -> AgentResult | StreamingResponse:
    """Run an agent to its answer, as a Prefect flow. No transaction is open meanwhile."""
    asked = _asked(body or RunAgent(), request)
    database: Database = request.app.state.database
    planner: AgentPlanner = request.app.state.agent_planner
    async with database.read() as transaction:
        plan = await planner.plan(transaction, agent_id, asked, actor=actor)
    # They may have been saved before there was a limit.
    await judge_schemas(plan.schemas)
    runs: AgentRuns = request.app.state.agent_runs
    if not asked.stream:
        return await runs.run(plan)
    return event_stream(await runs.follow(plan, request.scope["request_id"]))


@router.get("/{agent_id}/conversations")
async def list_conversations(
    agent_id: ResourceId,
    service: Conversations,
    transaction: Read,
    limit: Limit = DEFAULT_PAGE,
    offset: Offset = 0,
    actor: Actor = permits(Permission.AGENTS_READ),
) -> Page[Conversation]:
    """What an agent remembers, the last conversation first."""
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
    """A conversation with its newest messages, in their order."""
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
    """Forget a conversation. What a run under way is about to add to it is dropped."""
    await service.forget(transaction, agent_id, conversation_id, actor=actor)
    return Done()


def _asked(body: RunAgent, request: Request) -> AskedRun:
    variables = {} if body.variables is None else body.variables
    if not isinstance(variables, dict):
        raise BadRequest("variables: must be an object of names and values; send {} for none")
    return AskedRun(
        variables=variables,
        api_key=body.api_key,
        base_url=body.base_url,
        said=body.input,
        conversation_id=body.conversation_id,
        subject=body.subject,
        stream=wants_events(request, body.stream),
    )


def _given(body: AgentUpdate) -> dict[str, Any]:
    """The fields that were sent with a value, as JSON."""
    fields = body.model_dump(mode="json", include=set(AgentUpdate.model_fields))
    return {name: value for name, value in fields.items() if value is not None}
