"""Where an agent's prompt comes from: its own text, or what the registry serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptops_flows.agents import written_message
from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import require_environment
from promptops_platform.db.agent_tables import AgentRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import NotFound
from promptops_platform.prompts.body import CHAT
from promptops_platform.prompts.schemas import ServedPrompt
from promptops_platform.prompts.service import PromptService
from promptops_platform.rollouts.service import RolloutService
from promptops_providers.protocol import Message


@dataclass(frozen=True, slots=True)
class UsedPrompt:
    """The version of a prompt that a run used, and the variant when a rollout chose it."""

    key: str
    env: str
    version: str
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class FoundPrompt:
    """The templates of a run; `used` where they come from the registry, with `config` of there."""

    messages: Sequence[Message]
    is_chat: bool = False
    used: UsedPrompt | None = None
    config: Mapping[str, Any] = field(default_factory=dict)

    def written(self) -> list[dict[str, Any]]:
        """The templates as a run's request has them."""
        return [written_message(each) for each in self.messages]


class PromptSource:
    """Finds the prompt of an agent."""

    def __init__(self, prompts: PromptService, rollouts: RolloutService) -> None:
        self._prompts = prompts
        self._rollouts = rollouts

    async def find(
        self, transaction: Transaction, agent: AgentRow, subject: str | None, *, actor: Actor
    ) -> FoundPrompt:
        """Raises NotFound for a reference that leads nowhere, Forbidden for an API key of other
        environments."""
        reference = agent.prompt_ref
        if reference is None:
            return FoundPrompt([Message("user", agent.prompt)])
        require_environment(actor, reference["env"])
        slot = (agent.workspace_id, reference["env"], reference["key"])
        found = await self._prompts.served(transaction, [slot])
        if not found:
            raise NotFound(
                f"prompt_ref: prompt {reference['key']!r} of agent {agent.key!r} is not in "
                f"environment {reference['env']!r} of its workspace; create it there, or edit the "
                "agent"
            )
        if reference.get("version"):
            return await self._version(
                transaction, agent, found[0], reference["version"], actor=actor
            )
        rollouts = await self._rollouts.running(transaction, [found[0].prompt_id])
        rollout = rollouts.get(found[0].prompt_id)
        if rollout is None:
            return _found(found[0])
        variant = rollout.variant_for(subject)
        return _found(variant.served, variant.name)

    async def _version(
        self,
        transaction: Transaction,
        agent: AgentRow,
        served: ServedPrompt,
        label: str,
        *,
        actor: Actor,
    ) -> FoundPrompt:
        wanted = [(served.prompt_id, label)]
        versions = await self._prompts.served_versions(transaction, wanted)
        if not versions:
            raise NotFound(
                f"prompt_ref: agent {agent.key!r} uses version {label!r} of prompt "
                f"{served.key!r}, which is not found; GET /api/prompts/{served.prompt_id}/versions "
                "lists them"
            )
        if actor.environments:
            row = await self._prompts.get(transaction, served.prompt_id, actor=actor)
            await self._prompts.version(transaction, row, label, actor=actor)
        return _found(versions[0])


def _found(served: ServedPrompt, variant: str | None = None) -> FoundPrompt:
    used = UsedPrompt(served.key, served.env, served.version, variant)
    if served.kind != CHAT:
        return FoundPrompt([Message("user", served.content)], used=used, config=served.config)
    messages = [Message(each["role"], each["content"]) for each in served.messages]
    return FoundPrompt(messages, is_chat=True, used=used, config=served.config)
