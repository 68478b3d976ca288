"""SQL of users, sessions, login tries and roles within workspaces."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Role, known_role
from promptops_platform.access.tables import LoginTryRow, SessionRow, UserRow
from promptops_platform.access.workspace_rights import MEMBERS, WORKSPACES, WorkspaceRights
from promptops_platform.db.pages import Part, containing_text, ordered, page_of
from promptops_platform.field_types import tidied

SESSIONS_AT_ONCE = 1000
USERS_SORTED_BY = {
    "username": UserRow.username,
    "role": UserRow.role,
    "created_at": UserRow.created_at,
}


@dataclass(frozen=True, slots=True)
class Credential:
    """A session or an API key as it is mirrored in memory; `is_session` says which."""

    id: str
    token_hash: str
    actor: Actor
    expires_at: datetime | None
    is_session: bool


async def count_users(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(UserRow)) or 0


async def users(
    session: AsyncSession, text: str | None, role: Role | None, part: Part
) -> tuple[list[UserRow], int]:
    """Return a page of the users with `text` in their name, by default by name, and their total
    number."""
    query = containing_text(select(UserRow), text, UserRow.username)
    if role is not None:
        query = query.where(UserRow.role == role)
    query = ordered(query, part, USERS_SORTED_BY, default="username", unique=UserRow.id)
    rows, total = await page_of(session, query, part)
    return [row for (row,) in rows], total


async def user(session: AsyncSession, user_id: str, *, lock: bool = False) -> UserRow | None:
    return await session.get(UserRow, user_id, with_for_update=lock)


async def user_by_name(
    session: AsyncSession, username: str, *, lock: bool = False
) -> UserRow | None:
    """Return the user of this name; older releases also stored names that are not normalised."""
    query = select(UserRow).where(UserRow.username.in_({username, tidied(username)}))
    rows = list(await session.scalars(query.with_for_update() if lock else query))
    exact = [row for row in rows if row.username == username]
    return next(iter(exact or rows), None)


async def admins(session: AsyncSession) -> list[str]:
    """Return the ids of all admins, locked until the commit, so that two can't remove each other.

    Call this before any other user is locked: otherwise two admins who remove each other would
    deadlock.
    """
    rows = await session.scalars(
        select(UserRow.id).where(UserRow.role == Role.ADMIN).order_by(UserRow.id).with_for_update()
    )
    return list(rows)


async def default_password_users(session: AsyncSession) -> list[str]:
    """Return the names of the accounts that have the default password."""
    names = await session.scalars(select(UserRow.username).where(UserRow.has_default_password))
    return list(names)


async def remove_user(session: AsyncSession, user_id: str) -> None:
    """Delete a user and, through the foreign keys, the sessions and memberships."""
    await session.execute(delete(UserRow).where(UserRow.id == user_id))


async def session_credentials(
    session: AsyncSession,
    now: datetime,
    *,
    ids: Collection[str] | None = None,
    users: Collection[str] = (),
) -> list[Credential]:
    """Return sessions that are not expired: all, those with these ids, or those of these users."""
    query = (
        select(
            SessionRow.id,
            SessionRow.token_hash,
            SessionRow.user_id,
            SessionRow.expires_at,
            UserRow.username,
            UserRow.role,
        )
        .join(UserRow, UserRow.id == SessionRow.user_id)
        .where(SessionRow.expires_at > now)
    )
    if ids is not None:
        query = query.where(or_(SessionRow.id.in_(ids), SessionRow.user_id.in_(users)))
    credentials: list[Credential] = []
    # In parts: scripts may have opened tens of thousands of sessions, and other queries have to
    # wait.
    async for rows in (await session.stream(query)).partitions(SESSIONS_AT_ONCE):
        credentials += [
            Credential(
                id=row.id,
                token_hash=row.token_hash,
                actor=Actor(row.username, known_role(row.role), row.user_id, row.token_hash),
                expires_at=row.expires_at,
                is_session=True,
            )
            for row in rows
        ]
    return credentials


async def session_by_hash(session: AsyncSession, token_hash: str) -> SessionRow | None:
    result: SessionRow | None = await session.scalar(
        select(SessionRow).where(SessionRow.token_hash == token_hash)
    )
    return result


async def sessions_beyond(session: AsyncSession, user_id: str, newest: int) -> list[SessionRow]:
    """Return a user's sessions without the `newest` ones."""
    rows = await session.scalars(
        select(SessionRow)
        .where(SessionRow.user_id == user_id)
        .order_by(SessionRow.created_at.desc(), SessionRow.id.desc())
        .offset(newest)
    )
    return list(rows)


async def close_sessions(session: AsyncSession, user_id: str, *, but: str | None = None) -> int:
    """End all sessions of a user, except the one with this hash if given; return how many."""
    query = delete(SessionRow).where(SessionRow.user_id == user_id)
    if but is not None:
        query = query.where(SessionRow.token_hash != but)
    ended: Any = await session.execute(query)
    return int(ended.rowcount)


async def move_expiries(session: AsyncSession, moved: Mapping[str, datetime]) -> list[str]:
    """Extend sessions to these times, by id; return which were extended.

    Rows that another transaction has locked are skipped, so that this never waits for one while it
    holds others: such a session is being closed, or extended by another replica.
    """
    rows = await session.scalars(
        select(SessionRow).where(SessionRow.id.in_(moved)).with_for_update(skip_locked=True)
    )
    later = [row for row in rows if row.expires_at < moved[row.id]]
    for row in later:
        row.expires_at = moved[row.id]
    return [row.id for row in later]


async def delete_expired(session: AsyncSession, now: datetime) -> None:
    """Delete the sessions that have expired, except those that another transaction has locked."""
    over = select(SessionRow.id).where(SessionRow.expires_at <= now)
    await session.execute(
        delete(SessionRow).where(SessionRow.id.in_(over.with_for_update(skip_locked=True)))
    )


async def tries(
    session: AsyncSession, subjects: Collection[str], window_start: datetime
) -> dict[str, tuple[int, datetime]]:
    """Return the number of tries by subject, and the start of the window, for windows that still
    count."""
    rows = await session.scalars(
        select(LoginTryRow).where(
            LoginTryRow.subject.in_(subjects), LoginTryRow.started_at > window_start
        )
    )
    return {row.subject: (row.tries, row.started_at) for row in rows}


async def add_tries(
    session: AsyncSession, subject: str, number: int, now: datetime, window_start: datetime
) -> tuple[int, datetime]:
    """Add tries of a subject, or take some back if `number` is negative; return the number in the
    current window, and its start."""
    table = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    over = LoginTryRow.started_at <= window_start
    sum_ = LoginTryRow.tries + number
    counted = await session.execute(
        table.insert(LoginTryRow)
        .values(subject=subject, tries=max(number, 0), started_at=now)
        .on_conflict_do_update(
            index_elements=[LoginTryRow.subject],
            set_={
                "tries": case((over, max(number, 0)), (sum_ < 0, 0), else_=sum_),
                "started_at": case((over, now), else_=LoginTryRow.started_at),
            },
        )
        .returning(LoginTryRow.tries, LoginTryRow.started_at)
    )
    total, started_at = counted.one()
    return total, started_at


async def forget_tries(session: AsyncSession, subject: str) -> None:
    await session.execute(delete(LoginTryRow).where(LoginTryRow.subject == subject))


async def delete_old_tries(session: AsyncSession, before: datetime) -> None:
    """Delete tries that no window counts any more, except rows that another transaction has
    locked."""
    old = select(LoginTryRow.subject).where(LoginTryRow.started_at <= before)
    await session.execute(
        delete(LoginTryRow).where(LoginTryRow.subject.in_(old.with_for_update(skip_locked=True)))
    )


async def workspaces(session: AsyncSession) -> list[WorkspaceRights]:
    """Return all workspaces, oldest first."""
    columns = (getattr(WORKSPACES.c, name) for name in WorkspaceRights._fields)
    rows = await session.execute(
        select(*columns).order_by(WORKSPACES.c.created_at, WORKSPACES.c.id)
    )
    return [WorkspaceRights(*row) for row in rows]


async def hold_user(session: AsyncSession, user_id: str) -> bool:
    """Keep a user from being deleted until the commit; False if the user is deleted already."""
    query = select(UserRow.id).where(UserRow.id == user_id)
    return await session.scalar(query.with_for_update(read=True, key_share=True)) is not None


async def hold_workspace(session: AsyncSession, workspace_id: str) -> bool:
    """Keep a workspace from being deleted until the commit; False if it is deleted already."""
    query = select(WORKSPACES.c.id).where(WORKSPACES.c.id == workspace_id)
    held = await session.scalar(query.with_for_update(read=True, key_share=True))
    return held is not None


async def members(session: AsyncSession) -> dict[tuple[str, str], Role]:
    """Return roles by workspace and user."""
    rows: Any = await session.execute(
        select(MEMBERS.c.workspace_id, MEMBERS.c.user_id, MEMBERS.c.role)
    )
    return {(workspace_id, user_id): known_role(role) for workspace_id, user_id, role in rows}
