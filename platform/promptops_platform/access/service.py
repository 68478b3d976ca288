"""Accounts and sessions."""

from datetime import timedelta
from typing import Protocol

from promptops_platform.access import repository
from promptops_platform.access.authentication import Authenticator
from promptops_platform.access.passwords import hash_password, needs_rehash, verify_password
from promptops_platform.access.permissions import Role, known_role
from promptops_platform.access.schemas import Actor
from promptops_platform.access.tokens import new_session_token, token_hash
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.tables import SessionRow, UserRow
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import BadRequest, Unauthorized
from promptops_platform.ids import new_id

SEEDED_USER = "admin"
SEEDED_PASSWORD = "admin"  # noqa: S105  documented, warned of at every start


class AuditRecorder(Protocol):
    """What this room needs of the audit trail, which stands above it."""

    def record(
        self,
        transaction: Transaction,
        *,
        actor: str,
        action: str,
        resource: str,
        resource_id: str,
        key: str,
        summary: str,
    ) -> None:
        """Add an entry."""


class AccessService:
    """Logs users in and out."""

    def __init__(
        self,
        *,
        database: Database,
        authenticator: Authenticator,
        audit: AuditRecorder,
        changes: ChangeLog,
        clock: Clock,
        session_lifetime: timedelta,
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._audit = audit
        self._changes = changes
        self._clock = clock
        self._lifetime = session_lifetime

    async def login_with_token(self, token: str) -> Actor:
        """The caller that a token stands for; raises Unauthorized."""
        return await self._authenticator.authenticate(token)

    async def login(self, username: str | None, password: str | None) -> tuple[Actor, str]:
        """Open a session; returns the caller and the session's token.

        The password is compared outside of any transaction: that takes a quarter of a second.
        Raises Unauthorized, in the same words and the same time for every wrong pair.
        """
        if username is None or password is None:
            raise BadRequest("give username and password, or token")
        async with self._database.read() as transaction:
            user = await repository.user_by_name(transaction.session, username)
        if not await verify_password(password, user.password_hash if user else None):
            raise Unauthorized("wrong user name or password")
        assert user is not None
        grown = await hash_password(password) if needs_rehash(user.password_hash) else None
        token = new_session_token()
        async with self._database.write() as transaction:
            if grown:
                await repository.set_password_hash(transaction.session, user.id, grown)
            await self._open_session(transaction, user, token)
        return Actor(user.username, known_role(user.role), token_hash(token)), token

    async def _open_session(self, transaction: Transaction, user: UserRow, token: str) -> None:
        now = self._clock.now()
        await repository.delete_expired(transaction.session, now)
        opened = SessionRow(
            id=new_id(),
            token_hash=token_hash(token),
            user_id=user.id,
            created_at=now,
            expires_at=now + self._lifetime,
        )
        transaction.session.add(opened)
        self._changes.record(transaction, Change(ChangeType.SESSION_OPENED, opened.id))

    async def logout(self, transaction: Transaction, actor: Actor) -> None:
        """End the caller's session; the static token has none and stays valid."""
        if actor.session_hash is None:
            return
        row = await repository.session_by_hash(transaction.session, actor.session_hash)
        if row is not None:
            await transaction.session.delete(row)
            self._changes.record(transaction, Change(ChangeType.SESSION_CLOSED, row.id))

    async def seed(self, transaction: Transaction) -> None:
        """Make the first account of an empty database."""
        if await repository.count_users(transaction.session):
            return
        user = UserRow(
            id=new_id(),
            username=SEEDED_USER,
            password_hash=await hash_password(SEEDED_PASSWORD),
            has_default_password=True,
            role=Role.ADMIN,
            created_at=self._clock.now(),
        )
        transaction.session.add(user)
        self._audit.record(
            transaction,
            actor="system",
            action="create",
            resource="user",
            resource_id=user.id,
            key=user.username,
            summary="seeded account of a new database",
        )

    async def default_passwords(self, transaction: Transaction) -> list[str]:
        """Names of the accounts that still have their seeded password."""
        return await repository.default_password_users(transaction.session)
