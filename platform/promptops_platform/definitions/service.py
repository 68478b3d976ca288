"""The working copies of agents and workflows."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, Generic

from pydantic import BaseModel

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants, require_environment
from promptops_platform.access.permissions import Permission
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.pages import WHOLE, Part
from promptops_platform.db.search import tags_in
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions import repository
from promptops_platform.definitions.approvals import ServedChange
from promptops_platform.definitions.content import content_hash, exact
from promptops_platform.definitions.gate import ServedGate
from promptops_platform.definitions.kinds import TEXTS, Kind, RowT
from promptops_platform.definitions.preconditions import Seen, edited_meanwhile
from promptops_platform.definitions.states import ServedState, ServedStates
from promptops_platform.definitions.uses import DefinitionUser, DefinitionUses, refuse_used
from promptops_platform.errors import Conflict, NotFound
from promptops_platform.ids import new_id
from promptops_platform.past_tense import past_tense


class DefinitionService(ABC, Generic[RowT]):
    """Saves and finds definitions of one kind. Each change is audited and recorded in the feed."""

    def __init__(
        self,
        kind: Kind[RowT],
        *,
        grants: Grants,
        states: ServedStates,
        gate: ServedGate,
        uses: Sequence[DefinitionUses],
        audit: AuditTrail,
        changes: ChangeLog,
        clock: Clock,
    ) -> None:
        self.kind = kind
        self.states = states
        self._grants = grants
        self._gate = gate
        self._uses = uses
        self._audit = audit
        self._changes = changes
        self._clock = clock

    @abstractmethod
    def answer(self, row: RowT, state: ServedState, actor: Actor) -> BaseModel:
        """Return a definition as it is sent to this caller."""

    @abstractmethod
    def check(self, workspace_id: str, content: Mapping[str, Any], *, actor: Actor) -> None:
        """Raises BadRequest for a definition that can't run, naming the place and the remedy."""

    @abstractmethod
    def environments_of(self, content: Mapping[str, Any]) -> frozenset[str]:
        """Return the environments whose prompts, agents or workflows the definition refers to."""

    def edited(self, old: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the definition after an edit that sent these fields; raises BadRequest if they
        contradict each other."""
        return {name: fields.get(name, value) for name, value in old.items()}

    def content_of(self, row: RowT) -> dict[str, Any]:
        """Return the definition as versions store it."""
        return {name: getattr(row, name) for name in self.kind.defaults}

    def hash_of(self, content: Mapping[str, Any]) -> str:
        """Return a hash that is equal for equal definitions."""
        return content_hash(content, self.kind.defaults)

    async def search(
        self,
        transaction: Transaction,
        workspace_id: str | None,
        text: str | None,
        part: Part = WHOLE,
        *,
        actor: Actor,
        tag: str | None = None,
    ) -> tuple[list[RowT], int]:
        """Return a page of the definitions that the caller may see, by default newest change first,
        and their total number. Definitions that refer to environments closed to the caller are left
        out. `tag` may be several tags with commas between them; a definition must have all."""
        search = partial(
            repository.search,
            transaction.session,
            self.kind.table,
            self._grants.readable(actor),
            workspace_id,
            text,
            tags_in(tag or ""),
        )
        if not actor.environments:
            return await search(part)
        rows, _ = await search(Part(sort=part.sort))
        visible = [row for row in rows if self.may_see(actor, self.content_of(row))]
        return part.cut(visible), len(visible)

    async def get(
        self,
        transaction: Transaction,
        resource_id: str,
        *,
        actor: Actor,
        permission: Permission | None = None,
        lock: bool = False,
    ) -> RowT:
        """Return a definition; raises Forbidden, also if it refers to an environment closed to the
        caller, and NotFound, also if the caller may not see it."""
        kind = self.kind
        row = await repository.get(transaction.session, kind.table, resource_id, lock=lock)
        if row is None or not self._grants.can_read(actor, row.workspace_id):
            raise NotFound(f"{kind.noun} {resource_id!r} not found; GET {kind.path} lists them")
        self.require_visible(actor, self.content_of(row))
        self._grants.require(actor, permission or kind.read, row.workspace_id)
        return row

    async def find_to_run(
        self, transaction: Transaction, workspace_id: str, key: str, *, actor: Actor
    ) -> RowT | None:
        """Return a definition by key, to be run by another one; raises Forbidden like `get`."""
        row = await repository.find_by_key(transaction.session, self.kind.table, workspace_id, key)
        if row is not None:
            self.require_visible(actor, self.content_of(row))
            self._grants.require(actor, self.kind.run, workspace_id)
        return row

    async def key_exists(self, transaction: Transaction, workspace_id: str, key: str) -> bool:
        """Whether a definition with this key exists, without a permission check."""
        row = await repository.find_by_key(transaction.session, self.kind.table, workspace_id, key)
        return row is not None

    async def tags_of(self, transaction: Transaction, workspace_id: str, key: str) -> str:
        """Return the comma-separated tags of a definition, without a permission check; an empty
        text if it doesn't exist."""
        return await repository.tags_of(transaction.session, self.kind.table, workspace_id, key)

    async def existing_keys(
        self, transaction: Transaction, places: Collection[tuple[str, str]]
    ) -> set[tuple[str, str]]:
        """Return which of these definitions, by workspace and key, exist, without a permission
        check."""
        return await repository.existing_keys(transaction.session, self.kind.table, places)

    async def create(
        self,
        transaction: Transaction,
        *,
        actor: Actor,
        workspace_id: str,
        key: str,
        fields: Mapping[str, Any],
    ) -> RowT:
        """Create a definition; raises BadRequest if it can't run, and Conflict if the key is
        taken."""
        self._grants.require(actor, self.kind.write, workspace_id)
        now = self._clock.now()
        content = self.edited(self.kind.defaults, fields)
        self.check(workspace_id, content, actor=actor)
        self.require_visible(actor, content)
        table: Any = self.kind.table
        row: RowT = table(
            id=new_id(),
            workspace_id=workspace_id,
            key=key,
            version=1,
            revision=1,
            content_hash=self.hash_of(content),
            updated_by=actor.name,
            created_at=now,
            updated_at=now,
            **{name: fields.get(name, text) for name, text in TEXTS.items()},
            **content,
        )
        if not await repository.add_unless_taken(transaction.session, row):
            raise Conflict(
                f"key: {key!r} is taken by another {self.kind.noun}; choose another key, or edit "
                "that one"
            )
        await self.admit_edit(transaction, row, "create", actor)
        self._recorded(transaction, row, actor, "create", self.kind.saved, after=self._shown(row))
        return row

    async def update(
        self,
        transaction: Transaction,
        resource_id: str,
        *,
        actor: Actor,
        fields: Mapping[str, Any],
        seen: Seen | None = None,
    ) -> RowT:
        """Edit a definition; raises NotFound, BadRequest if it can't run, and EditedMeanwhile if it
        is at none of the states `seen`."""
        row = await self.writable(transaction, resource_id, actor, seen, mine=fields)
        before, old = self._shown(row), self.content_of(row)
        new = self.edited(old, fields)
        if exact(new) != exact(old):
            self.check(row.workspace_id, new, actor=actor)
            self.require_visible(actor, new)
            await self.admit_edit(transaction, row, "update", actor)
            self.replace(row, new)
        repository.set_columns(row, {name: fields[name] for name in TEXTS if name in fields})
        after = self._shown(row)
        self.touch(row, actor, edited=exact(after) != exact(before))
        self._recorded(transaction, row, actor, "update", self.kind.saved, before, after)
        return row

    async def delete(
        self,
        transaction: Transaction,
        resource_id: str,
        *,
        actor: Actor,
        seen: Seen | None = None,
        force: bool = False,
    ) -> None:
        """Delete a definition with its versions; raises NotFound, EditedMeanwhile like `update`,
        and unless `force` is set DefinitionInUse if others use it."""
        row = await self.writable(transaction, resource_id, actor, seen)
        if not force:
            refuse_used(self.kind.noun, row.key, await self._users(transaction, row, actor))
        state = await self.states.of(transaction, row)
        for environment in state.environments:
            number = state.number_in(environment.name)
            if number is not None:
                require_environment(actor, environment.name)
                change = self.served_change(row, environment.name, "delete", number, None)
                self._gate.admit(change, environment, transaction, actor=actor)
        await self.admit_edit(transaction, row, "delete", actor)
        await repository.remove(transaction.session, self.kind.table, row.id)
        self._recorded(
            transaction, row, actor, "delete", self.kind.deleted, before=self._shown(row)
        )

    async def writable(
        self,
        transaction: Transaction,
        resource_id: str,
        actor: Actor,
        seen: Seen | None = None,
        *,
        mine: Mapping[str, Any] | None = None,
    ) -> RowT:
        """Return a definition that the caller may change, locked until the commit, at one of the
        states `seen`; `mine` is the caller's edit, for the error's details."""
        row = await self.get(
            transaction, resource_id, actor=actor, permission=self.kind.write, lock=True
        )
        if seen is not None and not seen.is_newest(row):
            answer = self.answer(row, await self.states.of(transaction, row), actor)
            raise edited_meanwhile(row, answer.model_dump(mode="json"), seen, mine=mine)
        return row

    def replace(self, row: RowT, content: Mapping[str, Any]) -> None:
        """Replace the definition of the working copy, which counts as an edit."""
        repository.set_columns(row, content)
        row.content_hash = self.hash_of(content)
        row.version += 1

    def touch(self, row: RowT, actor: Actor, *, edited: bool = True) -> None:
        """Set when and by whom the working copy was saved, and count the edit."""
        row.updated_at = self._clock.now()
        row.updated_by = actor.name
        row.revision += edited

    def may_see(self, actor: Actor, content: Mapping[str, Any]) -> bool:
        """Whether the caller may use all environments that the definition refers to."""
        return not actor.environments or all(map(actor.may_enter, self.environments_of(content)))

    def require_visible(self, actor: Actor, content: Mapping[str, Any]) -> None:
        """Raises Forbidden for an API key that is limited to other environments."""
        if actor.environments:
            for env in sorted(self.environments_of(content)):
                require_environment(actor, env)

    def served_change(
        self, row: RowT, env: str, action: str, before: int | None, after: int | None
    ) -> ServedChange:
        """Describe a change to what an environment serves, for the gate."""
        return ServedChange(
            kind=self.kind.noun,
            workspace_id=row.workspace_id,
            resource_id=row.id,
            key=row.key,
            env=env,
            action=action,
            before=None if before is None else str(before),
            after=None if after is None else str(after),
        )

    def audited(
        self,
        transaction: Transaction,
        row: RowT,
        actor: Actor,
        action: str,
        summary: str,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Add to the audit trail."""
        self._audit.record(
            transaction,
            actor=actor,
            action=action,
            resource=self.kind.noun,
            resource_id=row.id,
            key=row.key,
            summary=summary,
            workspace_id=row.workspace_id,
            before=before,
            after=after,
        )

    async def _users(
        self, transaction: Transaction, row: RowT, actor: Actor
    ) -> list[DefinitionUser]:
        place = row.workspace_id, self.kind.noun, row.key
        users = [await use.users_of(transaction, *place, actor=actor) for use in self._uses]
        return list(chain.from_iterable(users))

    async def admit_edit(
        self, transaction: Transaction, row: RowT, action: str, actor: Actor
    ) -> None:
        """Check an edit: before the first publish it changes what the first environment runs. An
        API key that is limited to other environments may still edit, because the draft belongs to
        none."""
        state = await self.states.of(transaction, row)
        if state.first is not None and state.number_in(state.first.name) is None:
            change = self.served_change(row, state.first.name, action, None, None)
            self._gate.admit(change, state.first, transaction, actor=actor)

    def _recorded(
        self,
        transaction: Transaction,
        row: RowT,
        actor: Actor,
        action: str,
        change_type: ChangeType,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        change = Change(change_type, row.id, row.workspace_id, row.key, version=str(row.version))
        self._changes.record(transaction, change)
        summary = f"{past_tense(action)} {self.kind.noun} {row.key}, version {row.version}"
        self.audited(transaction, row, actor, action, summary, before=before, after=after)

    def _shown(self, row: RowT) -> dict[str, Any]:
        """Return the fields for the audit trail."""
        texts = {name: getattr(row, name) for name in TEXTS}
        return {**texts, **self.content_of(row), "version": row.version}
