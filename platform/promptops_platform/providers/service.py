"""Connections to model providers: stored, edited, tested and encrypted again."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.exc import IntegrityError

from promptops_platform.access.actor import COMMAND_LINE, Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.permissions import Permission
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.pages import Part
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, Conflict, Forbidden, NotFound, SecretUnreadable
from promptops_platform.ids import new_id
from promptops_platform.providers import repository
from promptops_platform.providers.base_urls import BaseUrls
from promptops_platform.providers.tables import ConnectionRow
from promptops_platform.providers.vault import Rotation, Vault
from promptops_providers.provider_names import PROVIDER_NAMES

# A kind that has no address of its own.
ANY_VENDOR = "openai-compatible"
EVERY_CONNECTION = "*"


class ConnectionService:
    """Keeps connections. Each change is audited, without the key, and recorded in the feed."""

    def __init__(
        self,
        *,
        grants: Grants,
        vault: Vault,
        urls: BaseUrls,
        audit: AuditTrail,
        changes: ChangeLog,
        clock: Clock,
    ) -> None:
        self._grants = grants
        self._vault = vault
        self._urls = urls
        self._audit = audit
        self._changes = changes
        self._clock = clock

    async def search(
        self,
        transaction: Transaction,
        workspace_id: str | None,
        text: str | None,
        part: Part,
        *,
        actor: Actor,
    ) -> tuple[list[ConnectionRow], int]:
        """Return a page of the connections that the caller may see, by default by name, and
        their total number."""
        readable = self._grants.readable(actor)
        return await repository.search(transaction.session, readable, workspace_id, text, part)

    async def get(
        self,
        transaction: Transaction,
        connection_id: str,
        *,
        actor: Actor,
        permission: Permission = Permission.PROVIDERS_READ,
        lock: bool = False,
    ) -> ConnectionRow:
        """A connection; raises Forbidden, and NotFound also where it doesn't exist for the
        caller."""
        row = await repository.get(transaction.session, connection_id, lock=lock)
        if row is None or not self._grants.can_read(actor, row.workspace_id):
            raise NotFound(f"connection {connection_id!r} not found; GET /api/providers lists them")
        self._grants.require(actor, permission, row.workspace_id)
        return row

    def may_write(self, row: ConnectionRow, *, actor: Actor) -> bool:
        """Whether the caller may change this connection, and see the end of its key."""
        try:
            self._grants.require(actor, Permission.PROVIDERS_WRITE, row.workspace_id)
        except Forbidden:
            return False
        return True

    async def create(
        self,
        transaction: Transaction,
        *,
        actor: Actor,
        workspace_id: str,
        name: str,
        kind: str,
        base_url: str | None,
        model: str | None,
        api_key: str | None,
        first_token_seconds: int | None,
        answer_seconds: int | None,
        compatibility: dict[str, Any] | None,
    ) -> ConnectionRow:
        """Store a connection; raises BadRequest for an address that is not allowed and for a name
        that means another kind, Conflict for a taken name."""
        self._grants.require(actor, Permission.PROVIDERS_WRITE, workspace_id)
        now = self._clock.now()
        row = ConnectionRow(
            id=new_id(),
            workspace_id=workspace_id,
            name=name,
            kind=kind,
            base_url=base_url or "",
            model=model or "",
            first_token_seconds=first_token_seconds,
            answer_seconds=answer_seconds,
            compatibility=compatibility or None,
            sealed_key=None,
            key_hint="",
            created_by=actor.name,
            created_at=now,
            updated_at=now,
            last_tested_at=None,
            last_test_ok=None,
        )
        self._check(row)
        await self._vault.set_key(transaction, row, api_key or None)
        transaction.session.add(row)
        await _flush(transaction, row)
        self._record(
            transaction, row, actor, "create", _summary("stored", row), after=_audited(row)
        )
        return row

    async def update(
        self,
        transaction: Transaction,
        connection_id: str,
        *,
        actor: Actor,
        fields: Mapping[str, Any],
    ) -> ConnectionRow:
        """Edit a connection: `fields` are those to change; an `api_key` of None removes the key,
        an empty one keeps it.

        Raises NotFound, Forbidden, Conflict for a taken name, and BadRequest: a stored key is not
        sent to another address, so a change of it must bring the key again.
        """
        row = await self._writable(transaction, connection_id, actor)
        before, had_key = _audited(row), row.sealed_key is not None
        target = (row.kind, row.base_url)
        row.name = fields.get("name") or row.name
        row.kind = fields.get("kind") or row.kind
        if "base_url" in fields:
            row.base_url = fields["base_url"] or ""
        if "model" in fields:
            row.model = fields["model"] or ""
        for name in ("first_token_seconds", "answer_seconds"):
            if name in fields:
                setattr(row, name, fields[name])
        if "compatibility" in fields:
            row.compatibility = fields["compatibility"] or None
        self._check(row)
        await _flush(transaction, row)
        moved = target != (row.kind, row.base_url)
        api_key = fields.get("api_key", "")
        if moved and had_key and api_key == "":
            changed = "base_url" if target[0] == row.kind else "kind"
            raise BadRequest(
                f"{changed}: the stored API key is not sent to another address; send api_key again "
                "along with it, or null to remove the key"
            )
        if api_key != "":
            await self._vault.set_key(transaction, row, api_key)
        if moved or api_key != "":
            # The test was of the earlier settings.
            row.last_tested_at, row.last_test_ok = None, None
        row.updated_at = self._clock.now()
        summary = f"{_summary('changed', row)}{', with another key' if api_key else ''}"
        self._record(transaction, row, actor, "update", summary, before, _audited(row))
        return row

    async def delete(self, transaction: Transaction, connection_id: str, *, actor: Actor) -> None:
        """Delete a connection with its key; definitions that name it fail from now on."""
        row = await self._writable(transaction, connection_id, actor)
        await repository.remove(transaction.session, row.id)
        self._record(
            transaction, row, actor, "delete", _summary("deleted", row), before=_audited(row)
        )

    async def record_test(
        self, transaction: Transaction, connection: ConnectionRow, ok: bool, *, actor: Actor
    ) -> None:
        """Record the result of a test of `connection`, unless it was changed or deleted
        meanwhile."""
        row = await repository.get(transaction.session, connection.id, lock=True)
        if row is None or row.updated_at != connection.updated_at:
            return
        row.last_tested_at, row.last_test_ok = self._clock.now(), ok
        summary = f"{_summary('tested', row)}: it {'answers' if ok else 'fails'}"
        self._record(transaction, row, actor, "test", summary)

    async def rotate(self, transaction: Transaction, *, forget: bool) -> Rotation:
        """Encrypt all stored keys again; raises SecretUnreadable for one that can't be read, unless
        `forget` says to remove it."""
        rotation = await self._vault.rotate(transaction, forget=forget)
        if rotation.unreadable and not forget:
            names = ", ".join(f"{row.name} ({row.workspace_id})" for row in rotation.unreadable)
            raise SecretUnreadable(
                f"nothing was changed: the keys of these connections can't be read: {names}; give "
                "their secret key in PROMPTOPS_SECRET_KEY as well, or use --forget-unreadable"
            )
        self._changes.record(transaction, connection_changed(EVERY_CONNECTION, None))
        for row in rotation.unreadable:
            before = {**_audited(row), "has_key": True}
            summary = f"{_summary('forgot the key of', row)}, which could not be read"
            self._record(transaction, row, COMMAND_LINE, "update", summary, before, _audited(row))
        return rotation

    async def _writable(
        self, transaction: Transaction, connection_id: str, actor: Actor
    ) -> ConnectionRow:
        return await self.get(
            transaction,
            connection_id,
            actor=actor,
            permission=Permission.PROVIDERS_WRITE,
            lock=True,
        )

    def _check(self, row: ConnectionRow) -> None:
        """Raises BadRequest for what can't be stored together."""
        if row.name in PROVIDER_NAMES and row.kind != row.name:
            raise BadRequest(
                f"name: {row.name!r} is the built-in provider {row.name}, so kind must be "
                f"{row.name} and not {row.kind}; choose another name"
            )
        if row.base_url:
            self._urls.check(row.base_url)
        elif row.kind == ANY_VENDOR:
            raise BadRequest(
                f"base_url: is required for kind {ANY_VENDOR}; give the root of the API"
            )

    def _record(
        self,
        transaction: Transaction,
        row: ConnectionRow,
        actor: Actor,
        action: str,
        summary: str,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        self._changes.record(transaction, connection_changed(row.id, row.workspace_id))
        self._audit.record(
            transaction,
            actor=actor,
            action=action,
            resource="provider",
            resource_id=row.id,
            key=row.name,
            summary=summary,
            workspace_id=row.workspace_id,
            before=before,
            after=after,
        )


def connection_changed(connection_id: str, workspace_id: str | None) -> Change:
    """Makes every replica reload its connections."""
    return Change(ChangeType.CONNECTION_CHANGED, connection_id, workspace_id)


def _audited(row: ConnectionRow) -> dict[str, Any]:
    """What the audit trail stores: whether there is a key, and nothing of the key itself."""
    return {
        "name": row.name,
        "kind": row.kind,
        "base_url": row.base_url,
        "model": row.model,
        "first_token_seconds": row.first_token_seconds,
        "answer_seconds": row.answer_seconds,
        "compatibility": row.compatibility or {},
        "has_key": row.sealed_key is not None,
    }


def _summary(action: str, row: ConnectionRow) -> str:
    return f"{action} connection {row.name} of kind {row.kind}"


async def _flush(transaction: Transaction, row: ConnectionRow) -> None:
    name = row.name
    try:
        await transaction.session.flush()
    except IntegrityError as error:
        raise Conflict(
            f"name: {name!r} is taken by another connection of this workspace; choose another "
            "name, or edit that one"
        ) from error
