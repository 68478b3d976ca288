"""API keys for SDKs and scripts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from promptops_platform.access import repository
from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.permissions import Permission, Role
from promptops_platform.access.service import AuditRecorder
from promptops_platform.access.tokens import new_api_key, shown_prefix, token_hash
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.tables import ApiKeyRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, Forbidden, NotFound
from promptops_platform.ids import new_id


class KeyService:
    """Makes, lists and revokes keys. Each change is audited and recorded in the feed.

    Keys of a workspace are managed by its admins, keys of none by global admins.
    """

    def __init__(
        self, *, grants: Grants, audit: AuditRecorder, changes: ChangeLog, clock: Clock
    ) -> None:
        self._grants = grants
        self._audit = audit
        self._changes = changes
        self._clock = clock

    async def search(
        self,
        transaction: Transaction,
        *,
        actor: Actor,
        workspace: str | None,
        prefix: str | None,
        text: str | None,
    ) -> list[ApiKeyRow]:
        """The keys that the caller may manage, newest first; raises NotFound for an unknown
        workspace."""
        rows = await repository.api_keys(
            transaction.session,
            self._grants.readable(actor),
            workspace_id=self._workspace(actor, workspace),
            prefix=None if prefix is None else shown_prefix(prefix),
            text=text,
        )
        return [row for row in rows if self._may_manage(actor, row)]

    async def create(
        self,
        transaction: Transaction,
        *,
        actor: Actor,
        name: str,
        role: Role,
        workspace: str | None,
        environments: list[str],
        expires_at: datetime | None,
    ) -> tuple[ApiKeyRow, str]:
        """Make a key; returns it with the secret, which is stored nowhere.

        Raises NotFound for an unknown workspace, BadRequest for an expiry in the past, and
        Forbidden; a key makes no key that may more than itself, or for longer.
        """
        workspace_id = self._workspace(actor, workspace) or actor.workspace_id
        self._require(actor, workspace_id)
        if role is Role.METRICS and (workspace_id or environments):
            raise BadRequest(
                "role: a key with the role metrics is of no workspace or environment, because the "
                "metrics are of all; leave both out"
            )
        _refuse_wider(actor, environments)
        _refuse_longer(actor, expires_at)
        session = transaction.session
        if workspace_id and not await repository.hold_workspace(session, workspace_id):
            raise NotFound(f"workspace {workspace_id!r} not found; it was deleted meanwhile")
        now = self._clock.now()
        if expires_at is not None and expires_at <= now:
            raise BadRequest(f"expires_at: {expires_at.isoformat()} is past; name a later time")
        key = new_api_key()
        row = ApiKeyRow(
            id=new_id(),
            name=name,
            prefix=shown_prefix(key),
            token_hash=token_hash(key),
            role=role,
            workspace_id=workspace_id,
            environments=sorted(set(environments)),
            created_by=actor.name,
            created_at=now,
            expires_at=expires_at,
            last_used_at=None,
        )
        transaction.session.add(row)
        self._recorded(transaction, actor, row, "create", ChangeType.KEY_SAVED, after=_shown(row))
        return row, key

    async def revoke(self, transaction: Transaction, key_id: str, *, actor: Actor) -> ApiKeyRow:
        """Delete a key: it is refused from now on, and its connections end; raises NotFound."""
        row = await repository.api_key(transaction.session, key_id, lock=True)
        if row is None or not self._may_manage(actor, row):
            raise NotFound(f"API key {key_id!r} not found; GET /api/keys lists them")
        await transaction.session.delete(row)
        self._recorded(
            transaction, actor, row, "revoke", ChangeType.KEY_REVOKED, before=_shown(row)
        )
        return row

    async def note_uses(self, transaction: Transaction, uses: Mapping[str, datetime]) -> None:
        """Remember when keys were last used, by id."""
        if uses:
            await repository.note_key_uses(transaction.session, uses)

    def _workspace(self, actor: Actor, name: str | None) -> str | None:
        if name is None:
            return None
        found = self._grants.find(actor, name)
        if found is None:
            raise NotFound(f"workspace {name!r} not found; GET /api/workspaces lists them")
        return found

    def _require(self, actor: Actor, workspace_id: str | None) -> None:
        if workspace_id is None:
            self._grants.require_global(actor, Permission.KEYS_WRITE)
        else:
            self._grants.require(actor, Permission.KEYS_WRITE, workspace_id)

    def _may_manage(self, actor: Actor, row: ApiKeyRow) -> bool:
        try:
            self._require(actor, row.workspace_id)
            _refuse_wider(actor, row.environments)
        except Forbidden:
            return False
        return True

    def _recorded(
        self,
        transaction: Transaction,
        actor: Actor,
        row: ApiKeyRow,
        action: str,
        kind: ChangeType,
        *,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        self._changes.record(transaction, Change(kind, row.id, row.workspace_id))
        self._audit.record(
            transaction,
            actor=actor,
            action=action,
            resource="api_key",
            resource_id=row.id,
            key=row.name,
            summary=f"{action} of key {row.prefix}… with role {row.role}",
            workspace_id=row.workspace_id,
            before=before,
            after=after,
        )


def _refuse_wider(actor: Actor, environments: list[str]) -> None:
    """A key that is limited to environments manages no key with wider limits."""
    if actor.environments and (not environments or not actor.environments.issuperset(environments)):
        allowed = ", ".join(sorted(actor.environments))
        raise Forbidden(f"forbidden: environments must be among {allowed}, as your own key's are")


def _refuse_longer(actor: Actor, expires_at: datetime | None) -> None:
    """A key that expires makes no key that outlives it."""
    if actor.expires_at is not None and (expires_at is None or expires_at > actor.expires_at):
        until = actor.expires_at.isoformat()
        raise Forbidden(f"forbidden: expires_at must be {until} or earlier, as your own key's is")


def _shown(row: ApiKeyRow) -> dict[str, Any]:
    """What the audit trail may hold of a key."""
    return {
        "name": row.name,
        "prefix": row.prefix,
        "role": row.role,
        "environments": row.environments,
        "expires_at": row.expires_at.isoformat() if row.expires_at else None,
    }
