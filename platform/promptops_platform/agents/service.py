"""Agent definitions."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.exc import IntegrityError

from promptops_flows.engine_client import Connection
from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.permissions import Permission
from promptops_platform.agents import repository
from promptops_platform.agents.schemas import (
    DEFAULT_STEPS,
    DEFAULT_WINDOW_MESSAGES,
    DEFAULT_WINDOW_TOKENS,
)
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.agent_tables import AgentRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, Conflict, NotFound
from promptops_platform.ids import new_id
from promptops_platform.prompts.body import exact
from promptops_platform.prompts.references import may_refer, require_references
from promptops_platform.providers.service import ProviderService
from promptops_providers.registry import DEFAULT_PROVIDER

# What a new version of the definition is made of, with what a new agent has.
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
}
TEXTS = {"name": "", "description": ""}


class AgentService:
    """Saves and finds agents. Each change is audited and recorded in the feed."""

    def __init__(
        self,
        *,
        grants: Grants,
        providers: ProviderService,
        audit: AuditTrail,
        changes: ChangeLog,
        clock: Clock,
    ) -> None:
        self._grants = grants
        self._providers = providers
        self._audit = audit
        self._changes = changes
        self._clock = clock

    async def search(
        self,
        transaction: Transaction,
        workspace_id: str | None,
        text: str | None,
        *,
        actor: Actor,
    ) -> list[AgentRow]:
        """Agents of the workspaces that exist for the caller, newest change first; without those
        that refer to environments that are closed to the caller."""
        readable = self._grants.readable(actor)
        rows = await repository.search(transaction.session, readable, workspace_id, text)
        return [row for row in rows if may_refer(actor, reference_of(row))]

    async def get(
        self,
        transaction: Transaction,
        agent_id: str,
        *,
        actor: Actor,
        permission: Permission = Permission.AGENTS_READ,
        lock: bool = False,
    ) -> AgentRow:
        """An agent; raises Forbidden, also for one that refers to another environment than the
        caller's, and NotFound also where it doesn't exist for the caller."""
        row = await repository.get(transaction.session, agent_id, lock=lock)
        if row is None or not self._grants.can_read(actor, row.workspace_id):
            raise NotFound(f"agent {agent_id!r} not found; GET /api/agents lists them")
        require_references(actor, reference_of(row))
        self._grants.require(actor, permission, row.workspace_id)
        return row

    async def create(
        self,
        transaction: Transaction,
        *,
        actor: Actor,
        workspace_id: str,
        key: str,
        fields: Mapping[str, Any],
    ) -> AgentRow:
        """Make an agent; raises BadRequest for a definition that can't run, Conflict for a taken
        key."""
        self._grants.require(actor, Permission.AGENTS_WRITE, workspace_id)
        now = self._clock.now()
        definition = _edited(DEFINITION, fields, actor)
        self._check_providers(workspace_id, definition)
        row = AgentRow(
            id=new_id(),
            workspace_id=workspace_id,
            key=key,
            version=1,
            created_at=now,
            updated_at=now,
            **{**TEXTS, **{name: fields[name] for name in TEXTS if name in fields}},
            **definition,
        )
        transaction.session.add(row)
        try:
            await transaction.session.flush()
        except IntegrityError as error:
            raise Conflict(
                f"key: {key!r} is taken by another agent; choose another key, or edit that one"
            ) from error
        self._recorded(transaction, row, actor, "create", ChangeType.AGENT_SAVED, after=_shown(row))
        return row

    async def update(
        self,
        transaction: Transaction,
        agent_id: str,
        *,
        actor: Actor,
        fields: Mapping[str, Any],
    ) -> AgentRow:
        """Edit an agent; raises NotFound, or BadRequest for a definition that can't run."""
        row = await self._writable(transaction, agent_id, actor)
        before = _shown(row)
        old = {name: getattr(row, name) for name in DEFINITION}
        new = _edited(old, fields, actor)
        if exact(new) != exact(old):
            self._check_providers(row.workspace_id, new)
            row.version += 1
        texts = {name: fields[name] for name in TEXTS if name in fields}
        repository.set_columns(row, {**new, **texts})
        row.updated_at = self._clock.now()
        self._recorded(
            transaction, row, actor, "update", ChangeType.AGENT_SAVED, before, _shown(row)
        )
        return row

    async def delete(self, transaction: Transaction, agent_id: str, *, actor: Actor) -> None:
        """Delete an agent with what it remembers; raises NotFound."""
        row = await self._writable(transaction, agent_id, actor)
        await repository.remove(transaction.session, row.id)
        self._recorded(
            transaction, row, actor, "delete", ChangeType.AGENT_DELETED, before=_shown(row)
        )

    def connections(
        self, row: AgentRow, *, base_url: str | None, actor: Actor
    ) -> tuple[Connection, ...]:
        """The workspace's connections that the agent names, for a run with the caller's `base_url`.

        Raises BadRequest for a provider that there isn't any more and an address that is not
        allowed, and SecretUnreadable.
        """
        names = [row.provider, *(each["provider"] for each in row.fallbacks)]
        if base_url:
            self._providers.check_base_url(base_url, names[:1])
        targets = self._providers.connected(row.workspace_id, names, actor=actor)
        return tuple(Connection.of(each) for each in targets)

    def _check_providers(self, workspace_id: str, definition: Mapping[str, Any]) -> None:
        """Raises BadRequest for a provider that there isn't."""
        known = self._providers.names([workspace_id])
        named = [("provider", definition["provider"])]
        named += [
            (f"fallbacks.{index}.provider", each["provider"])
            for index, each in enumerate(definition["fallbacks"])
        ]
        for field, name in named:
            if name not in known:
                raise BadRequest(
                    f"{field}: provider {name!r} is unknown; use one of {', '.join(known)}"
                )

    async def _writable(self, transaction: Transaction, agent_id: str, actor: Actor) -> AgentRow:
        """An agent that the caller may change, locked until the commit."""
        return await self.get(
            transaction, agent_id, actor=actor, permission=Permission.AGENTS_WRITE, lock=True
        )

    def _recorded(
        self,
        transaction: Transaction,
        row: AgentRow,
        actor: Actor,
        action: str,
        kind: ChangeType,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        self._changes.record(
            transaction, Change(kind, row.id, row.workspace_id, row.key, version=str(row.version))
        )
        self._audit.record(
            transaction,
            actor=actor,
            action=action,
            resource="agent",
            resource_id=row.id,
            key=row.key,
            summary=f"{action} of agent {row.key}, version {row.version}",
            workspace_id=row.workspace_id,
            before=before,
            after=after,
        )


def reference_of(row: AgentRow) -> dict[str, Any]:
    """The part of the agent that may refer to a prompt; a tool's schema may have any names."""
    return {"prompt_ref": row.prompt_ref}


def _shown(row: AgentRow) -> dict[str, Any]:
    """What the audit trail keeps."""
    return {name: getattr(row, name) for name in (*TEXTS, *DEFINITION, "version")}


def _without_echo(old: Mapping[str, Any], fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a text and a reference, sent with a whole agent that was read before, the one that was
    changed; the text where both differ, as existing editors know nothing else."""
    is_whole = "updated_at" in fields
    if not (is_whole and fields.get("prompt") and fields.get("prompt_ref")):
        return fields
    echo = "prompt" if fields["prompt"] == old["prompt"] else "prompt_ref"
    return {name: value for name, value in fields.items() if name != echo}


def _edited(old: Mapping[str, Any], fields: Mapping[str, Any], actor: Actor) -> dict[str, Any]:
    """The definition after an edit that sent these fields; raises BadRequest where it contradicts
    itself, Forbidden for another environment's prompt."""
    fields = _without_echo(old, fields)
    new = {name: fields.get(name, value) for name, value in old.items()}
    new["provider"] = new["provider"] or DEFAULT_PROVIDER
    new["output_schema"] = new["output_schema"] or None
    if fields.get("prompt") and fields.get("prompt_ref"):
        raise BadRequest(
            "prompt: a text was sent along with prompt_ref, and only one can be used; send either"
        )
    if fields.get("prompt_ref"):
        new["prompt"] = ""
    elif fields.get("prompt"):
        new["prompt_ref"] = None
    require_references(actor, {"prompt_ref": new["prompt_ref"]})
    return new
