"""The accounts that people log in with."""

from typing import Any

from sqlalchemy.exc import IntegrityError

from promptops_platform.access import repository
from promptops_platform.access.actor import Actor
from promptops_platform.access.keys import KeyService
from promptops_platform.access.passwords import hash_password, refuse_weak
from promptops_platform.access.permissions import Role, known_role
from promptops_platform.access.service import AccessService, AuditRecorder
from promptops_platform.access.tables import UserRow
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.pages import WHOLE, Part
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, Conflict, NotFound
from promptops_platform.ids import new_id


class UserService:
    """Creates, edits and deletes accounts. Each change is audited and recorded in the feed."""

    def __init__(
        self,
        *,
        access: AccessService,
        keys: KeyService,
        audit: AuditRecorder,
        changes: ChangeLog,
        clock: Clock,
    ) -> None:
        self._access = access
        self._keys = keys
        self._audit = audit
        self._changes = changes
        self._clock = clock

    async def search(
        self,
        transaction: Transaction,
        text: str | None = None,
        role: Role | None = None,
        part: Part = WHOLE,
    ) -> tuple[list[UserRow], int]:
        """Return a page of the accounts with `text` in their name, by default by name, and their
        total number."""
        return await repository.users(transaction.session, text, role, part)

    async def create(
        self, transaction: Transaction, *, actor: Actor, username: str, password: str, role: str
    ) -> UserRow:
        """Create an account; raises BadRequest if the name is taken or the password is weak."""
        refuse_weak(password, username)
        # Before the first statement, because it takes long and SQLite has one writer.
        hashed = await hash_password(password)
        row = UserRow(
            id=new_id(),
            username=username,
            password_hash=hashed,
            has_default_password=False,
            role=known_role(role),
            created_at=self._clock.now(),
        )
        transaction.session.add(row)
        try:
            await transaction.session.flush()
        except IntegrityError as error:
            raise BadRequest(f"username: {username!r} is taken; choose another one") from error
        self._recorded(
            transaction, actor, row, "create", f"created with role {row.role}", after=_shown(row)
        )
        return row

    async def update(
        self,
        transaction: Transaction,
        user_id: str,
        *,
        actor: Actor,
        password: str | None,
        role: str | None,
    ) -> UserRow:
        """Change the password, which ends all sessions, or the role; raises NotFound, BadRequest
        for a weak password, and Conflict if no admin would be left."""
        if password:
            refuse_weak(password)
        hashed = await hash_password(password) if password else None
        admins = await repository.admins(transaction.session) if role is not None else []
        row = await self._get(transaction, user_id)
        before = _shown(row)
        changed = []
        if role is not None and known_role(role) != row.role:
            _refuse_last(row, admins)
            row.role = known_role(role)
            changed.append(f"role is {row.role}")
        if password and hashed:
            await self._access.set_password(transaction, row, password, hashed)
            changed.append("changed the password")
        summary = ", ".join(changed) or "saved unchanged"
        self._recorded(transaction, actor, row, "update", summary, before, _shown(row))
        return row

    async def delete(self, transaction: Transaction, user_id: str, *, actor: Actor) -> None:
        """Delete an account with its sessions and the API keys that it made; raises NotFound, and
        Conflict for the last admin."""
        admins = await repository.admins(transaction.session)
        row = await self._get(transaction, user_id)
        _refuse_last(row, admins)
        await self._keys.revoke_owned(transaction, row, actor=actor)
        await repository.remove_user(transaction.session, row.id)
        self._recorded(transaction, actor, row, "delete", "deleted", before=_shown(row))

    async def set_password(
        self, transaction: Transaction, username: str, password: str, *, actor: Actor
    ) -> None:
        """Set the password of the account of this name; raises NotFound, and BadRequest for a weak
        password."""
        hashed = await hash_password(password)
        row = await repository.user_by_name(transaction.session, username, lock=True)
        if row is None:
            raise NotFound(f"there is no account {username!r}")
        await self._access.set_password(transaction, row, password, hashed)
        self._recorded(transaction, actor, row, "update", "changed the password")

    async def find(self, transaction: Transaction, name: str) -> UserRow:
        """Return the account with this id or user name, locked until the commit; raises
        NotFound."""
        session = transaction.session
        row = await repository.user(session, name, lock=True)
        row = row or await repository.user_by_name(session, name, lock=True)
        if row is None:
            raise NotFound(f"there is no user with the id or name {name!r}")
        return row

    async def _get(self, transaction: Transaction, user_id: str) -> UserRow:
        row = await repository.user(transaction.session, user_id, lock=True)
        if row is None:
            raise NotFound(f"user {user_id!r} not found; GET /api/users lists them")
        return row

    def _recorded(
        self,
        transaction: Transaction,
        actor: Actor,
        row: UserRow,
        action: str,
        summary: str,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        self._changes.record(transaction, Change(ChangeType.USER_CHANGED, row.id))
        self._audit.record(
            transaction,
            actor=actor,
            action=action,
            resource="user",
            resource_id=row.id,
            key=row.username,
            summary=summary,
            before=before,
            after=after,
        )


def _refuse_last(row: UserRow, admins: list[str]) -> None:
    if admins == [row.id]:
        raise Conflict(f"{row.username!r} is the last admin; make another one first")


def _shown(row: UserRow) -> dict[str, Any]:
    """Return the fields of an account for the audit trail."""
    return {"username": row.username, "role": row.role}
