"""Finds an agent's prompt: its own text, or a prompt of the registry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptops_flows.templates.chat_messages import RawMessage
from promptops_platform.access.actor import Actor
from promptops_platform.agents.tables import AgentRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.prompts.body import CHAT
from promptops_platform.serving.prompt_resolver import (
    PromptReference,
    PromptResolver,
    Referrer,
    UsedPrompt,
)
from promptops_platform.serving.rendering import templates_of, text_templates


@dataclass(frozen=True, slots=True)
class AgentPrompt:
    """The templates of a run; `used` is set if they come from the registry, with the `config` of
    that prompt."""

    messages: Sequence[RawMessage]
    is_chat: bool = False
    used: UsedPrompt | None = None
    config: Mapping[str, Any] = field(default_factory=dict)

    def written(self) -> list[dict[str, Any]]:
        """Return the templates in the form of a run's request."""
        return [dict(message) for message in self.messages]


async def find_prompt(
    resolver: PromptResolver,
    transaction: Transaction,
    agent: AgentRow,
    subject: str | None,
    *,
    actor: Actor,
) -> AgentPrompt:
    """Return the prompt of an agent; raises NotFound for a reference to nothing, Forbidden for an
    API key of other environments."""
    if agent.prompt_ref is None:
        return AgentPrompt(text_templates(agent.prompt))
    prompt = await resolver.resolve(
        transaction,
        agent.workspace_id,
        PromptReference.of(agent.prompt_ref),
        subject,
        referrer=Referrer("prompt_ref", "agent", agent.key),
        actor=actor,
    )
    body = prompt.body
    return AgentPrompt(
        templates_of(body), is_chat=body.kind == CHAT, used=prompt.used, config=body.config
    )
