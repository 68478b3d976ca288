"""API keys for SDKs and scripts."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from promptops_platform.access import key_repository, repository
from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.key_repository import KeyFilter, StoredKey
from promptops_platform.access.makers import descendants, hold_maker, maker_of
from promptops_platform.access.permissions import NARROW, Permission, Role
from promptops_platform.access.service import AuditRecorder
from promptops_platform.access.tables import ApiKeyRow, UserRow
from promptops_platform.access.tokens import new_api_key, shown_prefix, token_hash
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.pages import WHOLE, Part
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, Forbidden, NotFound
from promptops_platform.ids import new_id
from promptops_platform.past_tense import past_tense


class KeyService:
    """Creates, lists and revokes keys. Each change is audited and recorded in the feed.

    Admins of a workspace manage its keys; global admins manage the keys without a workspace. A key
    is deleted with the account or the key that created it.
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
        maker: str | None = None,
        part: Part = WHOLE,
    ) -> tuple[list[StoredKey], int]:
        """Return a page of the keys that the caller may manage, by default newest first, and their
        total number; raises NotFound for an unknown workspace."""
        key_filter = KeyFilter(
            self._workspace(actor, workspace),
            None if prefix is None else shown_prefix(prefix),
            text,
            maker,
        )
        keys = await key_repository.api_keys(
            transaction.session, self._grants.readable(actor), key_filter, part
        )
        manageable = [key for key in keys if self._may_manage(actor, key.row)]
        return part.cut(manageable), len(manageable)

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
        manage_accounts: bool = False,
    ) -> tuple[ApiKeyRow, str]:
        """Create a key; return it with the secret, which isn't stored.

        Raises NotFound for an unknown workspace, BadRequest for an expiry in the past and for
        permissions that can't be combined, and Forbidden; a key can't create a key with more
        permissions or a longer lifetime than its own.
        """
        workspace_id = self._workspace(actor, workspace) or actor.workspace_id
        self._require(actor, workspace_id)
        if role in NARROW and (workspace_id or environments):
            raise BadRequest(
                f"role: a key with the role {role} is of no workspace or environment, because it "
                "is for the whole installation; leave both out"
            )
        _refuse_wider(actor, environments)
        _refuse_longer(actor, expires_at)
        if manage_accounts:
            _check_account_right(actor, role, environments)
        maker = maker_of(actor)
        await hold_maker(transaction, maker)
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
            maker_kind=maker.kind,
            maker_id=maker.id,
            owner_id=maker.owner_id,
            manage_accounts=manage_accounts,
            created_at=now,
            expires_at=expires_at,
            last_used_at=None,
        )
        transaction.session.add(row)
        self._changes.record(transaction, Change(ChangeType.KEY_SAVED, row.id, row.workspace_id))
        self._audited(transaction, actor, row, "create", after=_shown(row))
        return row, key

    async def revoke(self, transaction: Transaction, key_id: str, *, actor: Actor) -> ApiKeyRow:
        """Delete a key and those that it created: they are refused from now on, and their
        connections are closed; raises NotFound."""
        row = await self._managed(transaction, key_id, actor)
        made = await descendants(transaction, row)
        await self._remove(transaction, actor, [row, *made])
        return row

    async def adopt(self, transaction: Transaction, key_id: str, *, actor: Actor) -> StoredKey:
        """Make the caller the maker of a key, so that it remains when the account that created it
        is deleted; raises NotFound, and Forbidden if the caller is a key."""
        if actor.key_id is not None:
            raise Forbidden("forbidden: an API key can't take over another one; log in to do it")
        # Locked before the key, in the order that deleting the account uses.
        maker = maker_of(actor)
        await hold_maker(transaction, maker)
        row = await self._managed(transaction, key_id, actor)
        made = await descendants(transaction, row)
        before = _shown(row)
        row.created_by, row.maker_kind, row.maker_id = actor.name, maker.kind, maker.id
        for key in (row, *made):
            key.owner_id = maker.owner_id
            self._changes.record(
                transaction, Change(ChangeType.KEY_SAVED, key.id, key.workspace_id)
            )
        self._audited(transaction, actor, row, "adopt", before=before, after=_shown(row))
        await transaction.session.flush()
        return StoredKey(row, await key_repository.effective_role(transaction.session, row.id))

    async def revoke_owned(self, transaction: Transaction, owner: UserRow, *, actor: Actor) -> None:
        """Delete all keys whose chain of makers begins with an account, which is locked and about
        to be deleted."""
        await self._remove(
            transaction, actor, await key_repository.of_owner(transaction.session, owner.id)
        )

    async def note_uses(self, transaction: Transaction, uses: Mapping[str, datetime]) -> None:
        """Record when keys were last used, by id."""
        if uses:
            await key_repository.note_key_uses(transaction.session, uses)

    async def _managed(self, transaction: Transaction, key_id: str, actor: Actor) -> ApiKeyRow:
        """Return a key that the caller may manage, locked until the commit."""
        row = await key_repository.api_key(transaction.session, key_id, lock=True)
        if row is None or not self._may_manage(actor, row):
            raise NotFound(f"API key {key_id!r} not found; GET /api/keys lists them")
        return row

    async def _remove(
        self, transaction: Transaction, actor: Actor, rows: Iterable[ApiKeyRow]
    ) -> None:
        for row in rows:
            await transaction.session.delete(row)
            self._changes.record(
                transaction, Change(ChangeType.KEY_REVOKED, row.id, row.workspace_id)
            )
            self._audited(transaction, actor, row, "revoke", before=_shown(row))

    def _workspace(self, actor: Actor, name: str | None) -> str | None:
        if name is None:
            return None
        workspace_id = self._grants.find(actor, name)
        if workspace_id is None:
            raise NotFound(f"workspace {name!r} not found; GET /api/workspaces lists them")
        return workspace_id

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

    def _audited(
        self,
        transaction: Transaction,
        actor: Actor,
        row: ApiKeyRow,
        action: str,
        *,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        self._audit.record(
            transaction,
            actor=actor,
            action=action,
            resource="api_key",
            resource_id=row.id,
            key=row.name,
            summary=f"{past_tense(action)} key {row.prefix}… with role {row.role}",
            workspace_id=row.workspace_id,
            before=before,
            after=after,
        )


def _refuse_wider(actor: Actor, environments: list[str]) -> None:
    """A key that is limited to environments can't manage keys with wider limits."""
    if actor.environments and (not environments or not actor.environments.issuperset(environments)):
        allowed = ", ".join(sorted(actor.environments))
        raise Forbidden(f"forbidden: environments must be among {allowed}, as your own key's are")


def _refuse_longer(actor: Actor, expires_at: datetime | None) -> None:
    """A key that expires can't create a key that outlives it."""
    if actor.expires_at is not None and (expires_at is None or expires_at > actor.expires_at):
        until = actor.expires_at.isoformat()
        raise Forbidden(f"forbidden: expires_at must be {until} or earlier, as your own key's is")


def _check_account_right(actor: Actor, role: Role, environments: list[str]) -> None:
    """Only an account can grant this permission, and only to a key that could use it."""
    if actor.key_id is not None:
        raise Forbidden("forbidden: only an account may give manage_accounts; log in to do it")
    if role is not Role.ADMIN or environments:
        raise BadRequest(
            "manage_accounts: is for keys with role admin that are limited to no environments; "
            "give the key that role, or leave manage_accounts out"
        )


def _shown(row: ApiKeyRow) -> dict[str, Any]:
    """Return the fields of a key for the audit trail."""
    return {
        "name": row.name,
        "prefix": row.prefix,
        "role": row.role,
        "environments": row.environments,
        "expires_at": row.expires_at.isoformat() if row.expires_at else None,
        "created_by": row.created_by,
        "manage_accounts": row.manage_accounts,
    }
