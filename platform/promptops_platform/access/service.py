"""Logins and sessions."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from promptops_platform.access import repository
from promptops_platform.access.actor import SYSTEM, Actor
from promptops_platform.access.authentication import Authenticator
from promptops_platform.access.credential_mirror import CredentialMirror
from promptops_platform.access.passwords import (
    hash_password,
    needs_rehash,
    refuse_weak,
    verify_password,
)
from promptops_platform.access.permissions import Role, known_role
from promptops_platform.access.repository import Credential
from promptops_platform.access.tables import SessionRow, UserRow
from promptops_platform.access.throttle import LoginThrottle, Try
from promptops_platform.access.tokens import new_session_token, token_hash
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import (
    BadRequest,
    DatabaseNotWritable,
    StartRefused,
    TooManyRequests,
    Unauthorized,
)
from promptops_platform.field_types import tidied
from promptops_platform.ids import new_id
from promptops_platform.listen_addresses import network

log = structlog.get_logger(__name__)

SEEDED_USER = "admin"
SEEDED_PASSWORD = "admin"  # noqa: S105  documented, warned of at every start
WRONG = "wrong user name or password"
# Per user. A script that logs in for each call would open one a second.
MOST_SESSIONS = 1000
# Lifetime of a session that could not be stored.
UNSTORED_LIFETIME = timedelta(hours=1)
# The stored hash may change during the comparison: another login upgraded it, or the password was
# changed. A second comparison decides.
COMPARISONS = 2


class AuditRecorder(Protocol):
    """What this room needs of the audit trail, a room above this one."""

    def record(
        self,
        transaction: Transaction,
        *,
        actor: Actor,
        action: str,
        resource: str,
        resource_id: str,
        key: str,
        summary: str,
        workspace_id: str | None = None,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        """Add an entry."""


class AccessService:
    """Logs users in and out."""

    def __init__(
        self,
        *,
        database: Database,
        authenticator: Authenticator,
        credentials: CredentialMirror,
        audit: AuditRecorder,
        changes: ChangeLog,
        clock: Clock,
        session_lifetime: timedelta,
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._credentials = credentials
        self._audit = audit
        self._changes = changes
        self._clock = clock
        self._throttle = LoginThrottle(database, clock)
        self._lifetime = session_lifetime

    async def login_with_token(self, token: str, *, address: str) -> Actor:
        """Return the caller of a token; raises Unauthorized, and TooManyRequests."""
        return await self._authenticator.authenticate(token, address)

    async def login(
        self,
        username: str | None,
        password: str | None,
        *,
        address: str,
        request_id: str,
        token: str | None = None,
    ) -> tuple[Actor, str]:
        """Open a session, in addition to that of `token` if given; return the caller and the new
        session's token. Logins are audited. Failed tries are not, because anybody could fill the
        trail with them; they are throttled instead.

        The password is compared outside of any transaction, because that takes a quarter of a
        second. If the session can't be stored because the disk is full, it exists in this process
        for an hour. Raises Unauthorized, with the same message and after the same time for every
        wrong pair, and TooManyRequests after too many of them.
        """
        if username is None or password is None:
            raise BadRequest("give username and password, or token")
        tried = await self._throttle.count(
            username, address, has_session=self._is_session_of(token, username)
        )
        for _ in range(COMPARISONS):
            user, grown = await self._compared(username, password, tried, address)
            role = known_role(user.role)
            actor = Actor(user.username, role, user.id, address=address, request_id=request_id)
            try:
                opened = await self._stored_session(user, grown, actor, tried)
            except DatabaseNotWritable:
                self._throttle.take_back(tried)
                return actor, self._unstored_session(actor)
            if opened is not None:
                return opened
        raise Unauthorized(WRONG)

    async def _stored_session(
        self, user: UserRow, grown: str | None, actor: Actor, tried: Try
    ) -> tuple[Actor, str] | None:
        """Open a session of a user whose password was correct; None if it was changed since."""
        async with self._database.write() as transaction:
            row = await repository.user(transaction.session, user.id, lock=True)
            if row is None or row.password_hash != user.password_hash:
                return None
            row.password_hash = grown or row.password_hash
            await self._throttle.succeeded(transaction, tried)
            await self._throttle.remember_place(transaction, row.id, actor.address)
            await self._close_oldest(transaction, row.id)
            token = self._open_session(transaction, row.id)
            actor = replace(actor, name=row.username, role=known_role(row.role))
            self._audited(transaction, actor, row, "logged in", "login")
        return actor, token

    def _unstored_session(self, actor: Actor) -> str:
        """Open a session in this process's memory, so that somebody can fix a full disk; return its
        token."""
        token = new_session_token()
        hashed = token_hash(token)
        expires_at = self._clock.now() + min(self._lifetime, UNSTORED_LIFETIME)
        held = Actor(actor.name, actor.role, actor.user_id, hashed)
        session = Credential(new_id(), hashed, held, expires_at, is_session=True)
        self._credentials.add_unstored(session)
        log.warning("session_not_stored", user=actor.name, address=actor.address)
        return token

    async def logout(self, transaction: Transaction, actor: Actor) -> None:
        """End the caller's session; the static token and API keys have none and stay valid."""
        if actor.credential is None:
            return
        self._credentials.forget_unstored(actor.credential)
        row = await repository.session_by_hash(transaction.session, actor.credential)
        user = await repository.user(transaction.session, actor.user_id or "")
        if row is not None and user is not None:
            await transaction.session.delete(row)
            self._changes.record(transaction, Change(ChangeType.SESSION_CLOSED, row.id))
            self._audited(transaction, actor, user, "logged out", "logout")

    async def end_sessions(
        self, transaction: Transaction, actor: Actor, *, keep_current: bool
    ) -> int:
        """End all sessions of the caller's account, optionally except the caller's own; return how
        many. Raises BadRequest for callers without an account."""
        user = await repository.user(transaction.session, actor.user_id or "", lock=True)
        if user is None:
            raise BadRequest("this token belongs to no account; log in as a user to end sessions")
        kept = actor.credential if keep_current else None
        stored = await repository.close_sessions(transaction.session, user.id, but=kept)
        if stored:
            self._changes.record(transaction, Change(ChangeType.USER_CHANGED, user.id))
            which = "other sessions" if keep_current else "sessions"
            self._audited(transaction, actor, user, f"ended all {which}: {stored}", "logout")
        return stored + self._credentials.forget_unstored_of(user.id, but=kept)

    async def change_password(self, actor: Actor, current: str, new: str) -> None:
        """Change the caller's own password and end all sessions, including this one.

        Raises BadRequest for callers without a password and for a wrong current password, which
        counts as a failed login.
        """
        if actor.user_id is None:
            raise BadRequest("this token has no password; log in as a user to change one")
        refuse_weak(new, actor.name, "new_password")
        user, tried = await self._compared_own(actor, current)
        hashed = await hash_password(new)
        async with self._database.write() as transaction:
            row = await repository.user(transaction.session, user.id, lock=True)
            if row is None or row.password_hash != user.password_hash:
                raise BadRequest("the password was changed meanwhile; log in again")
            await self._throttle.succeeded(transaction, tried)
            await self.set_password(transaction, row, new, hashed)
            await self._throttle.remember_place(transaction, row.id, actor.address)
            self._audited(transaction, actor, row, "changed the own password")

    async def set_password(
        self, transaction: Transaction, row: UserRow, password: str, hashed: str
    ) -> None:
        """Set a user's password and end all sessions; `hashed` comes from `hash_password`, called
        before the transaction because it takes long. Raises BadRequest if the password is the
        user's own name; other weaknesses have to be checked before."""
        refuse_weak(password, row.username)
        row.password_hash = hashed
        row.has_default_password = False
        await repository.close_sessions(transaction.session, row.id)
        await self._throttle.forget_places(transaction, row.id)
        self._changes.record(transaction, Change(ChangeType.USER_CHANGED, row.id))

    async def extend(self, transaction: Transaction, used: Mapping[str, datetime]) -> None:
        """Extend sessions that were used, by id, by their whole lifetime from then."""
        if not used:
            return
        moved = {session_id: at + self._lifetime for session_id, at in used.items()}
        for session_id in await repository.move_expiries(transaction.session, moved):
            self._changes.record(transaction, Change(ChangeType.SESSION_SAVED, session_id))

    async def clean(self) -> None:
        """Delete expired sessions and login tries that no longer count; write those that do."""
        await self._throttle.write()
        async with self._database.write(background=True) as transaction:
            await repository.delete_expired(transaction.session, self._clock.now())
            await self._throttle.clean(transaction)

    async def seed(
        self, transaction: Transaction, *, password: str | None, production: bool
    ) -> None:
        """Create the first account of an empty database; raises StartRefused if it would have a
        weak password, except for the default in development."""
        if not await repository.count_users(transaction.session):
            if production and not password:
                raise StartRefused(
                    "PROMPTOPS_ENV is production and there is no account yet; set "
                    "PROMPTOPS_ADMIN_PASSWORD to the password of the first one"
                )
            if production or (password or SEEDED_PASSWORD) != SEEDED_PASSWORD:
                _refuse_weak_setting(password or "")
            await self._seed_admin(transaction, password)
        defaults = await self.default_passwords(transaction)
        if production and defaults:
            raise StartRefused(
                f"PROMPTOPS_ENV is production and the account {defaults[0]!r} still has its "
                f"default password; run: promptops set-password {defaults[0]}"
            )

    @staticmethod
    async def default_passwords(transaction: Transaction) -> list[str]:
        """Return the names of the accounts that have the well-known default password."""
        return await repository.default_password_users(transaction.session)

    async def _seed_admin(self, transaction: Transaction, password: str | None) -> None:
        user = UserRow(
            id=new_id(),
            username=SEEDED_USER,
            password_hash=await hash_password(password or SEEDED_PASSWORD),
            has_default_password=(password or SEEDED_PASSWORD) == SEEDED_PASSWORD,
            role=Role.ADMIN,
            created_at=self._clock.now(),
        )
        transaction.session.add(user)
        self._audited(transaction, SYSTEM, user, "seeded account of a new database", "create")

    async def _compared(
        self, username: str, password: str, tried: Try, address: str
    ) -> tuple[UserRow, str | None]:
        """Return the user with this password, and an upgraded hash if that is due; the try was
        counted before."""
        async with self._database.read() as transaction:
            user = await repository.user_by_name(transaction.session, username)
        try:
            stored = user.password_hash if user else None
            if not await verify_password(password, stored, line=network(address)):
                raise Unauthorized(WRONG)
            assert user is not None
            grown = None
            if needs_rehash(user.password_hash):
                grown = await hash_password(password, line=network(address))
        except TooManyRequests:
            self._throttle.take_back(tried)
            raise
        return user, grown

    def _is_session_of(self, token: str | None, username: str) -> bool:
        actor = self._authenticator.actor(token) if token else None
        return (
            actor is not None
            and actor.user_id is not None
            and tidied(actor.name) == tidied(username)
        )

    async def _compared_own(self, actor: Actor, password: str) -> tuple[UserRow, Try]:
        tried = await self._throttle.count(actor.name, actor.address, has_session=True)
        try:
            user, _ = await self._compared(actor.name, password, tried, actor.address)
        except Unauthorized as error:
            # Not a 401, which makes consoles log out.
            raise BadRequest("current_password: is wrong") from error
        return user, tried

    async def _close_oldest(self, transaction: Transaction, user_id: str) -> None:
        """Make room for one more session: all of them are mirrored in memory."""
        surplus = await repository.sessions_beyond(transaction.session, user_id, MOST_SESSIONS - 1)
        for row in surplus:
            await transaction.session.delete(row)
            self._changes.record(transaction, Change(ChangeType.SESSION_CLOSED, row.id))

    def _open_session(self, transaction: Transaction, user_id: str) -> str:
        """Returns the session's token."""
        now = self._clock.now()
        token = new_session_token()
        opened = SessionRow(
            id=new_id(),
            token_hash=token_hash(token),
            user_id=user_id,
            created_at=now,
            expires_at=now + self._lifetime,
        )
        transaction.session.add(opened)
        self._changes.record(transaction, Change(ChangeType.SESSION_SAVED, opened.id))
        return token

    def _audited(
        self,
        transaction: Transaction,
        actor: Actor,
        user: UserRow,
        summary: str,
        action: str = "update",
    ) -> None:
        self._audit.record(
            transaction,
            actor=actor,
            action=action,
            resource="user",
            resource_id=user.id,
            key=user.username,
            summary=summary,
        )


def _refuse_weak_setting(password: str) -> None:
    try:
        refuse_weak(password, SEEDED_USER, "PROMPTOPS_ADMIN_PASSWORD")
    except BadRequest as error:
        raise StartRefused(str(error)) from error
