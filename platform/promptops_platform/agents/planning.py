"""Plans a run of an agent: resolves everything it needs before it starts."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from promptops_flows.protocol.engine_client import RunRequest
from promptops_flows.steps.http_tools import HttpTool
from promptops_flows.steps.models import ModelChoice
from promptops_flows.steps.plans import AgentPlan
from promptops_flows.steps.targets import DefinitionTarget, version_number
from promptops_flows.templates.chat_messages import (
    PlaceholderError,
    check_placeholders,
    placeholder_in,
)
from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.access.scopes import joint_scope, scope_of
from promptops_platform.agents.conversations import (
    ConversationFollower,
    ConversationService,
    ConversationSnapshot,
)
from promptops_platform.agents.prompt_source import AgentPrompt, find_prompt
from promptops_platform.agents.service import AgentService, reference_of
from promptops_platform.agents.tables import AgentRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.version_reading import VersionReader
from promptops_platform.errors import BadRequest
from promptops_platform.execution.followers import RunFollower
from promptops_platform.execution.order import RunOrder
from promptops_platform.execution.subjects import same_order
from promptops_platform.http.loop_share import leave_loop_share
from promptops_platform.ids import new_id
from promptops_platform.prompts.model_settings import named_output_schema, parameters_of
from promptops_platform.prompts.references import referenced_environments
from promptops_platform.runlog.tables import RunRow
from promptops_platform.serving.prompt_resolver import PromptResolver, UsedPrompt
from promptops_platform.workspaces.service import WorkspaceService

SOURCE = "agent"
# The value of a variable that is not yet known: it fills any placeholder.
SOME_MESSAGES = [{"role": "user", "content": "…"}]
# Defaults for tools that an older release saved.
TOOL_DEFAULTS: dict[str, Any] = {"description": "", "method": "GET"}


@dataclass(frozen=True, slots=True)
class AgentInputs:
    """What the caller wants; `user_text` is the user's turn."""

    variables: dict[str, Any]
    api_key: str | None = None
    base_url: str | None = None
    user_text: str | None = None
    conversation_id: str | None = None
    subject: str | None = None
    stream: bool = False
    version: int | None = None
    env: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run that is ready to start."""

    order: RunOrder
    provider: str
    model: str
    prompt: UsedPrompt | None
    conversation: ConversationSnapshot | None
    # The schemas of the run, by their names in messages.
    schemas: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class InnerAgent:
    """An agent as part of another run, with its version and the environments of its prompts."""

    plan: AgentPlan
    version: str
    environments: frozenset[str]


class AgentPlanner:
    """Looks up everything that a run of an agent needs."""

    def __init__(
        self,
        *,
        agents: AgentService,
        versions: VersionReader[AgentRow],
        prompts: PromptResolver,
        conversations: ConversationService,
        workspaces: WorkspaceService,
    ) -> None:
        self._agents = agents
        self._versions = versions
        self._prompts = prompts
        self._conversations = conversations
        self._workspaces = workspaces

    run_permission = Permission.AGENTS_RUN

    async def plan(
        self, transaction: Transaction, agent_id: str, asked: AgentInputs, *, actor: Actor
    ) -> PlannedRun:
        """Raises NotFound and Forbidden, and BadRequest for a run that makes no sense."""
        draft = await self._agents.get(
            transaction, agent_id, actor=actor, permission=Permission.AGENTS_RUN
        )
        return await self._planned(transaction, draft, asked, actor)

    async def check_variables(
        self,
        transaction: Transaction,
        draft: AgentRow,
        asked: AgentInputs,
        unknown: Collection[str],
        *,
        actor: Actor,
    ) -> None:
        """Raises BadRequest if the prompt's placeholders refuse the variables for every possible
        value of the `unknown` ones, and NotFound for a definition that can't run."""
        row = await self._versions.runnable(
            transaction, draft, version=asked.version, env=asked.env, actor=actor
        )
        prompt = await find_prompt(self._prompts, transaction, row, asked.subject, actor=actor)
        if prompt.used is not None and prompt.used.variant:
            # A run may get another variant than this one, with other placeholders.
            return
        variables = asked.variables | dict.fromkeys(unknown, SOME_MESSAGES)
        await _refuse_wrong_placeholders(prompt, replace(asked, variables=variables))

    async def replan(
        self,
        transaction: Transaction,
        old: RunRow,
        request: RunRequest,
        version: int | None,
        *,
        actor: Actor,
    ) -> RunOrder | None:
        """Plan a retry; see `RunSubject`. With another version, the variables and the conversation
        are those of the first run."""
        draft = await self._agents.find_to_run(
            transaction, old.workspace_id, request.key, actor=actor
        )
        if draft is None:
            return None
        if version is None:
            return same_order(old, request, actor)
        plan = request.plan
        assert isinstance(plan, AgentPlan)
        asked = AgentInputs(
            variables=request.variables, user_text=plan.user_message, version=version
        )
        order = (await self._planned(transaction, draft, asked, actor)).order
        new_plan = order.request.plan
        assert isinstance(new_plan, AgentPlan)
        request = replace(order.request, plan=replace(new_plan, history=plan.history))
        return replace(order, request=request, scope=joint_scope(order.scope, old.scope))

    def follower(self, run_id: str, kept: Mapping[str, Any] | None) -> RunFollower:
        """Return the follower that stores the run's conversation, if it has one."""
        if kept is None:
            return RunFollower()
        return ConversationFollower(self._conversations, ConversationSnapshot.of(kept), run_id)

    async def _planned(
        self, transaction: Transaction, draft: AgentRow, asked: AgentInputs, actor: Actor
    ) -> PlannedRun:
        row = await self._versions.runnable(
            transaction, draft, version=asked.version, env=asked.env, actor=actor
        )
        connections = self._agents.connections(row, base_url=asked.base_url, actor=actor)
        workspace = await self._workspaces.find(transaction, row.workspace_id, actor=actor)
        prompt = await find_prompt(self._prompts, transaction, row, asked.subject, actor=actor)
        await _refuse_wrong_placeholders(prompt, asked)
        conversation = None
        scope = scope_of(referenced_environments(reference_of(row)), actor)
        if asked.conversation_id:
            _refuse_endless_prompt(prompt, asked)
            conversation = await self._conversations.load(
                transaction, row, asked.conversation_id, scope, actor=actor
            )
            scope = conversation.scope
        output_schema = named_output_schema(row.output_schema, prompt.config)
        request = RunRequest(
            run_id=new_id(),
            workspace=workspace.slug,
            key=row.key,
            name=row.name,
            version=str(row.version),
            plan=_plan(row, prompt, conversation, asked.user_text, output_schema),
            variables=asked.variables,
            api_key=asked.api_key,
            base_url=asked.base_url,
            tags=_tags(prompt.used),
            source=SOURCE,
            stream=asked.stream,
            pool=row.pool or None,
            connections=connections,
        )
        order = RunOrder(
            request,
            workspace_id=row.workspace_id,
            caller_id=actor.caller_id,
            user=actor.name,
            caused_by=actor.caused_by,
            scope=scope,
            inputs=_inputs(row, prompt.used, asked),
            prompt=prompt.used.counted if prompt.used else None,
        )
        return PlannedRun(
            order,
            provider=row.provider,
            model=row.model,
            prompt=prompt.used,
            conversation=conversation,
            schemas=output_schema | _tool_schemas(row),
        )

    async def inner_plan(
        self,
        transaction: Transaction,
        workspace_id: str,
        target: DefinitionTarget,
        subject: str | None,
        *,
        actor: Actor,
    ) -> InnerAgent | None:
        """Return an agent as part of another run; None if the workspace has none with this key.
        Raises what `plan` raises."""
        draft = await self._agents.find_to_run(transaction, workspace_id, target.key, actor=actor)
        if draft is None:
            return None
        row = await self._versions.runnable(
            transaction,
            draft,
            version=version_number(target.version),
            env=target.env or None,
            actor=actor,
        )
        prompt = await find_prompt(self._prompts, transaction, row, subject, actor=actor)
        output_schema = named_output_schema(row.output_schema, prompt.config)
        environments = referenced_environments(reference_of(row))
        return InnerAgent(
            _plan(row, prompt, None, None, output_schema), str(row.version), environments
        )


def _plan(
    row: AgentRow,
    prompt: AgentPrompt,
    conversation: ConversationSnapshot | None,
    user_message: str | None,
    output_schema: Mapping[str, Mapping[str, Any]],
) -> AgentPlan:
    fallbacks = [ModelChoice(choice["provider"], choice["model"]) for choice in row.fallbacks]
    return AgentPlan(
        prompt=tuple(prompt.written()),
        is_chat=prompt.is_chat,
        models=(ModelChoice(row.provider, row.model), *fallbacks),
        parameters=parameters_of(prompt.config) | row.parameters,
        tools=tuple(HttpTool(**TOOL_DEFAULTS | tool) for tool in row.tools),
        max_steps=row.max_steps,
        output_schema=next(iter(output_schema.values()), None),
        history=tuple(conversation.history) if conversation is not None else (),
        user_message=user_message,
        used_prompt=prompt.used.counted if prompt.used else None,
    )


def _tool_schemas(row: AgentRow) -> dict[str, Mapping[str, Any]]:
    return {
        f"tools.{index}.parameters of agent {row.key}:": tool["parameters"]
        for index, tool in enumerate(row.tools)
    }


def _inputs(row: AgentRow, used: UsedPrompt | None, asked: AgentInputs) -> dict[str, Any]:
    all_inputs: dict[str, Any] = {
        "input": asked.user_text,
        "conversation_id": asked.conversation_id,
        "subject": asked.subject,
        "prompt": asdict(used) if used else None,
    }
    inputs = {name: value for name, value in all_inputs.items() if value is not None}
    return {"variables": asked.variables, "version": str(row.version), **inputs}


def _refuse_endless_prompt(prompt: AgentPrompt, asked: AgentInputs) -> None:
    if prompt.is_chat and asked.user_text is None:
        raise BadRequest(
            "input: is required with conversation_id, because the agent's prompt is a chat that "
            "precedes the conversation; send the user's message"
        )


async def _refuse_wrong_placeholders(prompt: AgentPrompt, asked: AgentInputs) -> None:
    names = [placeholder_in(message) for message in prompt.messages]
    if any(name and asked.variables.get(name) is not None for name in names):
        # In a thread: scanning megabytes of messages takes a fraction of a second.
        leave_loop_share()
        try:
            await asyncio.to_thread(check_placeholders, prompt.messages, asked.variables)
        except PlaceholderError as error:
            raise BadRequest(str(error)) from error
    if asked.user_text is None and all(name and not asked.variables.get(name) for name in names):
        raise BadRequest(
            f"variables: the agent's prompt is the placeholder {names[0]!r} alone, and nothing "
            "fills it; send a list of messages, or send an input"
        )


def _tags(used: UsedPrompt | None) -> tuple[str, ...]:
    """Return what Prefect shows of the prompt, in addition to the run's own tags."""
    if used is None:
        return ()
    tags = [f"prompt:{used.key}@{used.version}", f"env:{used.env}"]
    return (*tags, f"variant:{used.variant}") if used.variant else tuple(tags)
