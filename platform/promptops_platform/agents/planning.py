"""What a run of an agent is made of, settled before it starts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from promptops_flows.engine_client import RunRequest
from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.access.scopes import scope_of
from promptops_platform.agents.conversations import ConversationService, Remembered, history_of
from promptops_platform.agents.prompt_source import FoundPrompt, PromptSource, UsedPrompt
from promptops_platform.agents.service import AgentService, reference_of
from promptops_platform.db.agent_tables import AgentRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest
from promptops_platform.ids import new_id
from promptops_platform.prompts.model_settings import named_output_schema, parameters_of
from promptops_platform.prompts.references import referenced_environments
from promptops_platform.workspaces.service import WorkspaceService

SOURCE = "agent"


@dataclass(frozen=True, slots=True)
class AskedRun:
    """What the caller wants; `said` is the user's turn."""

    variables: dict[str, Any]
    api_key: str | None = None
    base_url: str | None = None
    said: str | None = None
    conversation_id: str | None = None
    subject: str | None = None
    stream: bool = False


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """A run that is ready to start. `inputs` is what the run log keeps of what went in."""

    request: RunRequest
    workspace_id: str
    caller_id: str
    user: str
    scope: str | None
    inputs: dict[str, Any]
    provider: str
    model: str
    prompt: UsedPrompt | None
    conversation: Remembered | None
    # Those of the run, under the names that a sentence calls them by.
    schemas: Mapping[str, Mapping[str, Any]]


class AgentPlanner:
    """Looks up all that a run of an agent needs."""

    def __init__(
        self,
        *,
        agents: AgentService,
        prompts: PromptSource,
        conversations: ConversationService,
        workspaces: WorkspaceService,
    ) -> None:
        self._agents = agents
        self._prompts = prompts
        self._conversations = conversations
        self._workspaces = workspaces

    async def plan(
        self, transaction: Transaction, agent_id: str, asked: AskedRun, *, actor: Actor
    ) -> AgentPlan:
        """Raises NotFound and Forbidden, and BadRequest for a run that would make no sense."""
        row = await self._agents.get(
            transaction, agent_id, actor=actor, permission=Permission.AGENTS_RUN
        )
        connections = self._agents.connections(row, base_url=asked.base_url, actor=actor)
        workspace = await self._workspaces.find(transaction, row.workspace_id, actor=actor)
        prompt = await self._prompts.find(transaction, row, asked.subject, actor=actor)
        conversation = None
        scope = scope_of(referenced_environments(reference_of(row)), actor)
        if asked.conversation_id:
            _refuse_endless_prompt(prompt, asked)
            conversation = await self._conversations.remembered(
                transaction, row, asked.conversation_id, scope, actor=actor
            )
            scope = conversation.scope
        output_schema = named_output_schema(row.output_schema, prompt.config)
        return AgentPlan(
            request=RunRequest(
                run_id=new_id(),
                workspace=workspace.slug,
                key=row.key,
                name=row.name,
                version=str(row.version),
                steps=[],
                variables=asked.variables,
                api_key=asked.api_key,
                base_url=asked.base_url,
                tags=_tags(prompt.used),
                source=SOURCE,
                agent=_task(row, prompt, conversation, asked.said, output_schema),
                stream=asked.stream,
                connections=connections,
            ),
            workspace_id=row.workspace_id,
            caller_id=actor.caller_id,
            user=actor.name,
            scope=scope,
            inputs=_inputs(row, prompt.used, asked),
            provider=row.provider,
            model=row.model,
            prompt=prompt.used,
            conversation=conversation,
            schemas=output_schema | _tool_schemas(row),
        )


def _task(
    row: AgentRow,
    prompt: FoundPrompt,
    conversation: Remembered | None,
    said: str | None,
    output_schema: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """The task as the engine reads it (`promptops_flows.agents.read_agent`)."""
    return {
        "prompt": prompt.written(),
        "is_chat": prompt.is_chat,
        "models": [{"provider": row.provider, "model": row.model}, *row.fallbacks],
        "parameters": parameters_of(prompt.config) | row.parameters,
        "tools": row.tools,
        "max_steps": row.max_steps,
        "output_schema": next(iter(output_schema.values()), None),
        "history": history_of(conversation),
        "said": said,
    }


def _tool_schemas(row: AgentRow) -> dict[str, Mapping[str, Any]]:
    return {
        f"tools.{index}.parameters of agent {row.key}:": tool["parameters"]
        for index, tool in enumerate(row.tools)
    }


def _inputs(row: AgentRow, used: UsedPrompt | None, asked: AskedRun) -> dict[str, Any]:
    given: dict[str, Any] = {
        "input": asked.said,
        "conversation_id": asked.conversation_id,
        "subject": asked.subject,
        "prompt": asdict(used) if used else None,
    }
    found = {name: value for name, value in given.items() if value is not None}
    return {"variables": asked.variables, "version": str(row.version), **found}


def _refuse_endless_prompt(prompt: FoundPrompt, asked: AskedRun) -> None:
    if prompt.is_chat and asked.said is None:
        raise BadRequest(
            "input: is required with conversation_id, because the agent's prompt is a chat that "
            "stands before the conversation; send what the user says"
        )


def _tags(used: UsedPrompt | None) -> tuple[str, ...]:
    """What Prefect shows of the prompt, beside the run's own tags."""
    if used is None:
        return ()
    found = [f"prompt:{used.key}@{used.version}", f"env:{used.env}"]
    return (*found, f"variant:{used.variant}") if used.variant else tuple(found)
