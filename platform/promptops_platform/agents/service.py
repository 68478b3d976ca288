"""The service of agent definitions."""

from collections.abc import Mapping
from typing import Any

from promptops_flows.steps.models import Connection
from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.agents import repository
from promptops_platform.agents.schemas import (
    DEFAULT_STEPS,
    DEFAULT_WINDOW_MESSAGES,
    DEFAULT_WINDOW_TOKENS,
    Agent,
)
from promptops_platform.agents.tables import AgentRow
from promptops_platform.changes.schemas import ChangeType
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.kinds import Kind
from promptops_platform.definitions.service import DefinitionService
from promptops_platform.definitions.states import ServedState
from promptops_platform.definitions.versions import VersionService
from promptops_platform.errors import BadRequest
from promptops_platform.prompts.references import (
    PromptReference,
    referenced_environments,
    references,
)
from promptops_platform.providers.lookup import ProviderLookup
from promptops_providers.provider_names import DEFAULT_PROVIDER

DEFINITION: dict[str, Any] = {
    "prompt": "",
    "prompt_ref": None,
    "provider": DEFAULT_PROVIDER,
    "model": "",
    "fallbacks": [],
    "parameters": {},
    "tools": [],
    "max_steps": DEFAULT_STEPS,
    "output_schema": None,
    "window_messages": DEFAULT_WINDOW_MESSAGES,
    "window_tokens": DEFAULT_WINDOW_TOKENS,
    "pool": "",
}
AGENTS: Kind[AgentRow] = Kind(
    noun="agent",
    table=AgentRow,
    defaults=DEFINITION,
    read=Permission.AGENTS_READ,
    write=Permission.AGENTS_WRITE,
    run=Permission.AGENTS_RUN,
    saved=ChangeType.AGENT_SAVED,
    published=ChangeType.AGENT_PUBLISHED,
    deleted=ChangeType.AGENT_DELETED,
)


class AgentService(DefinitionService[AgentRow]):
    """Saves and finds agents."""

    def __init__(self, providers: ProviderLookup, **rest: Any) -> None:
        super().__init__(AGENTS, **rest)
        self._providers = providers

    def answer(self, row: AgentRow, state: ServedState, actor: Actor) -> Agent:
        """Return an agent in the form for this caller."""
        return Agent.shown(row, state, actor)

    def check(self, workspace_id: str, content: Mapping[str, Any], *, actor: Actor) -> None:
        """Raises BadRequest for an unknown provider."""
        known_names = self._providers.names([workspace_id])
        provider_choices = [("provider", content["provider"])]
        provider_choices += [
            (f"fallbacks.{index}.provider", choice["provider"])
            for index, choice in enumerate(content["fallbacks"])
        ]
        for field, name in provider_choices:
            if name not in known_names:
                raise BadRequest(
                    f"{field}: provider {name!r} is unknown; use one of {', '.join(known_names)}"
                )

    def environments_of(self, content: Mapping[str, Any]) -> frozenset[str]:
        """Return the environment of its prompt; a tool's schema may contain any names."""
        return referenced_environments({"prompt_ref": content["prompt_ref"]})

    def edited(self, old: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the definition after an edit with these fields; raises BadRequest if it
        contradicts itself."""
        fields = _without_echo(old, fields)
        new = super().edited(old, fields)
        new["provider"] = new["provider"] or DEFAULT_PROVIDER
        new["output_schema"] = new["output_schema"] or None
        if fields.get("prompt") and fields.get("prompt_ref"):
            raise BadRequest(
                "prompt: a text was sent along with prompt_ref, and only one can be used; send "
                "either"
            )
        if fields.get("prompt_ref"):
            new["prompt"] = ""
        elif fields.get("prompt"):
            new["prompt_ref"] = None
        return new

    async def using(
        self, transaction: Transaction, workspace_id: str, key: str, env: str
    ) -> list[tuple[str, str, str, PromptReference]]:
        """Return id, key, name and reference of the agents that use this prompt, by key."""
        rows = await repository.with_prompts(transaction.session, workspace_id)
        return [
            (agent_id, agent_key, name, reference)
            for agent_id, agent_key, name, prompt_ref in rows
            for reference in references({"prompt_ref": prompt_ref})
            if (reference.key, reference.env) == (key, env)
        ]

    def tried_tool(
        self, transaction: Transaction, row: AgentRow, tool: str, *, ok: bool, actor: Actor
    ) -> None:
        """Record that a tool of the agent was called as a trial."""
        summary = f"tried tool {tool} of agent {row.key}: it {'succeeded' if ok else 'failed'}"
        self.audited(transaction, row, actor, "test", summary)

    def connections(
        self, row: AgentRow, *, base_url: str | None, actor: Actor
    ) -> tuple[Connection, ...]:
        """Return the workspace's connections that the agent uses, for a run with the caller's
        `base_url`.

        Raises BadRequest for a provider that no longer exists and an address that is not allowed,
        and SecretUnreadable.
        """
        names = [row.provider, *(choice["provider"] for choice in row.fallbacks)]
        if base_url:
            self._providers.check_base_url(base_url, names[:1])
        targets = self._providers.connected(row.workspace_id, names, actor=actor)
        return tuple(Connection.of(target) for target in targets)


class AgentVersions(VersionService[AgentRow]):
    """Creates versions of agents and serves them."""


def reference_of(row: AgentRow) -> dict[str, Any]:
    """Return the part of the agent that may refer to a prompt; a tool's schema may contain any
    names."""
    return {"prompt_ref": row.prompt_ref}


def _without_echo(old: Mapping[str, Any], fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """If a text and a reference were both sent, because a whole agent was read before and is sent
    back, keep the one that was changed; the text if both were, because existing editors know only
    that."""
    is_whole = "updated_at" in fields
    if not (is_whole and fields.get("prompt") and fields.get("prompt_ref")):
        return fields
    echo = "prompt" if fields["prompt"] == old["prompt"] else "prompt_ref"
    return {name: value for name, value in fields.items() if name != echo}
