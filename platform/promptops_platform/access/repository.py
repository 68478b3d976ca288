"""SQL of users and sessions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.access.permissions import Role, known_role
from promptops_platform.db.tables import SessionRow, UserRow


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session as it is mirrored in memory."""

    id: str
    token_hash: str
    username: str
    role: Role
    expires_at: datetime


async def count_users(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(UserRow)) or 0


async def user_by_name(session: AsyncSession, username: str) -> UserRow | None:
    result: UserRow | None = await session.scalar(
        select(UserRow).where(UserRow.username == username)
    )
    return result


async def default_password_users(session: AsyncSession) -> list[str]:
    """Names of the accounts whose seeded password was never changed."""
    names = await session.scalars(select(UserRow.username).where(UserRow.has_default_password))
    return list(names)


async def set_password_hash(session: AsyncSession, user_id: str, password_hash: str) -> None:
    await session.execute(
        update(UserRow).where(UserRow.id == user_id).values(password_hash=password_hash)
    )


async def open_sessions(
    session: AsyncSession, now: datetime, ids: Sequence[str] | None = None
) -> list[OpenSession]:
    """Sessions that are not expired; all, or those of `ids`."""
    query = (
        select(
            SessionRow.id,
            SessionRow.token_hash,
            UserRow.username,
            UserRow.role,
            SessionRow.expires_at,
        )
        .join(UserRow, UserRow.id == SessionRow.user_id)
        .where(SessionRow.expires_at > now)
    )
    if ids is not None:
        query = query.where(SessionRow.id.in_(ids))
    rows = await session.execute(query)
    return [
        OpenSession(session_id, hashed, name, known_role(role), end)
        for session_id, hashed, name, role, end in rows
    ]


async def session_by_hash(session: AsyncSession, token_hash: str) -> SessionRow | None:
    result: SessionRow | None = await session.scalar(
        select(SessionRow).where(SessionRow.token_hash == token_hash)
    )
    return result


async def delete_expired(session: AsyncSession, now: datetime) -> None:
    await session.execute(delete(SessionRow).where(SessionRow.expires_at <= now))
