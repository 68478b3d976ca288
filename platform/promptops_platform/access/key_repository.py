"""SQL of API keys."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.access.actor import KEY_NAME, Actor
from promptops_platform.access.grants import OPEN
from promptops_platform.access.permissions import (
    Role,
    capped,
    known_key_role,
    known_role,
    role_within,
)
from promptops_platform.access.repository import Credential
from promptops_platform.access.tables import ApiKeyRow, UserRow
from promptops_platform.access.workspace_rights import MEMBERS, WORKSPACES
from promptops_platform.db.pages import Part, containing_text, ordered

SORTED_BY = {
    "name": ApiKeyRow.name,
    "created_at": ApiKeyRow.created_at,
    "expires_at": ApiKeyRow.expires_at,
    "last_used_at": ApiKeyRow.last_used_at,
}


class StoredKey(NamedTuple):
    """A key and its effective role, which never exceeds that of the account at the beginning of its
    chain of makers; the role may be None."""

    row: ApiKeyRow
    effective_role: Role | None


class KeyFilter(NamedTuple):
    """Filters of the list; None doesn't filter. `maker` is the id of a user or of a key."""

    workspace_id: str | None = None
    prefix: str | None = None
    text: str | None = None
    maker: str | None = None


async def key_credentials(
    session: AsyncSession,
    now: datetime,
    *,
    ids: Collection[str] | None = None,
    owners: Collection[str] = (),
    workspaces: Collection[str] = (),
) -> list[Credential]:
    """Return keys that are not expired and have some permission: all, those with these ids, or
    those of these accounts or workspaces."""
    query = _with_makers().where(or_(ApiKeyRow.expires_at.is_(None), ApiKeyRow.expires_at > now))
    if ids is not None:
        query = query.where(
            or_(
                ApiKeyRow.id.in_(ids),
                ApiKeyRow.owner_id.in_(owners),
                ApiKeyRow.workspace_id.in_(workspaces),
            )
        )
    return [
        _credential(key.row, key.effective_role)
        for key in await _stored(session, query)
        if key.effective_role is not None
    ]


async def api_keys(
    session: AsyncSession, readable: Collection[str] | None, key_filter: KeyFilter, part: Part
) -> list[StoredKey]:
    """Return a page of the keys in the order of `part`, by default newest first; `readable` are the
    workspaces whose keys may be seen, None for all."""
    query = ordered(_with_makers(), part, SORTED_BY, default="-created_at", unique=ApiKeyRow.id)
    if readable is not None:
        query = query.where(ApiKeyRow.workspace_id.in_(readable))
    return await _stored(session, _filtered(query, key_filter))


async def api_key(session: AsyncSession, key_id: str, *, lock: bool = False) -> ApiKeyRow | None:
    return await session.get(ApiKeyRow, key_id, with_for_update=lock)


async def effective_role(session: AsyncSession, key_id: str) -> Role | None:
    """Return the current role of a stored key."""
    (key,) = await _stored(session, _with_makers().where(ApiKeyRow.id == key_id))
    return key.effective_role


async def hold_key(session: AsyncSession, key_id: str) -> bool:
    """Keep a key from being revoked until the commit; False if it is deleted already."""
    query = select(ApiKeyRow.id).where(ApiKeyRow.id == key_id)
    return await session.scalar(query.with_for_update(read=True, key_share=True)) is not None


async def made_by_keys(session: AsyncSession, key_ids: Collection[str]) -> list[ApiKeyRow]:
    """Return the keys that these keys have created, locked until the commit."""
    return await _locked(session, ApiKeyRow.maker_id.in_(key_ids) & (ApiKeyRow.maker_kind == "key"))


async def of_owner(session: AsyncSession, user_id: str) -> list[ApiKeyRow]:
    """Return the keys whose chain of makers begins with a user, locked until the commit."""
    return await _locked(session, ApiKeyRow.owner_id == user_id)


async def count_keys(session: AsyncSession, workspace_id: str) -> int:
    """Return the number of keys that are bound to a workspace."""
    query = select(func.count()).where(ApiKeyRow.workspace_id == workspace_id)
    return await session.scalar(query.select_from(ApiKeyRow)) or 0


async def clear_keys(session: AsyncSession, workspace_id: str) -> int:
    """Delete the keys that are bound to a workspace; return how many."""
    deleted = await session.execute(
        delete(ApiKeyRow)
        .where(ApiKeyRow.workspace_id == workspace_id)
        .returning(ApiKeyRow.id)
        .execution_options(synchronize_session=False)
    )
    return len(deleted.all())


async def note_key_uses(session: AsyncSession, uses: Mapping[str, datetime]) -> None:
    """Record when keys were last used, by id; another replica may have recorded a later use. Rows
    that another transaction has locked are skipped, as in `move_expiries`.
    """
    rows = await session.scalars(
        select(ApiKeyRow).where(ApiKeyRow.id.in_(uses)).with_for_update(skip_locked=True)
    )
    for row in rows:
        if row.last_used_at is None or row.last_used_at < uses[row.id]:
            row.last_used_at = uses[row.id]


def _with_makers() -> Select[Any]:
    """Select each key with what determines its role: role and membership of its owner, and whether
    its workspace is open."""
    is_membership = and_(
        MEMBERS.c.workspace_id == ApiKeyRow.workspace_id, MEMBERS.c.user_id == ApiKeyRow.owner_id
    )
    return (
        select(ApiKeyRow, UserRow.role, MEMBERS.c.role, WORKSPACES.c.visibility)
        .outerjoin(UserRow, UserRow.id == ApiKeyRow.owner_id)
        .outerjoin(MEMBERS, is_membership)
        .outerjoin(WORKSPACES, WORKSPACES.c.id == ApiKeyRow.workspace_id)
    )


async def _stored(session: AsyncSession, query: Select[Any]) -> list[StoredKey]:
    return [
        StoredKey(row, _effective(row, role, member, visibility))
        for row, role, member, visibility in await session.execute(query)
    ]


def _effective(
    row: ApiKeyRow, role: str | None, member: str | None, visibility: str | None
) -> Role | None:
    key_role = known_key_role(row.role)
    if row.owner_id is None:
        return key_role
    if role is None:
        return None
    owner_role: Role | None = known_role(role)
    if row.workspace_id is not None:
        membership = None if member is None else known_role(member)
        owner_role = role_within(known_role(role), membership, is_open=visibility == OPEN)
    return capped(key_role, owner_role)


def _credential(row: ApiKeyRow, role: Role) -> Credential:
    actor = Actor(
        name=f"{KEY_NAME}{row.name}",
        role=role,
        credential=row.token_hash,
        workspace_id=row.workspace_id,
        environments=frozenset(row.environments),
        expires_at=row.expires_at,
        key_id=row.id,
        owner_id=row.owner_id,
        manages_accounts=row.manage_accounts,
    )
    return Credential(row.id, row.token_hash, actor, row.expires_at, is_session=False)


def _filtered(query: Select[Any], key_filter: KeyFilter) -> Select[Any]:
    if key_filter.workspace_id is not None:
        query = query.where(ApiKeyRow.workspace_id == key_filter.workspace_id)
    if key_filter.prefix is not None:
        # Not LIKE, which is case-insensitive in SQLite.
        start = func.substr(ApiKeyRow.prefix, 1, len(key_filter.prefix))
        query = query.where(start == key_filter.prefix)
    query = containing_text(query, key_filter.text, ApiKeyRow.name)
    if key_filter.maker is not None:
        query = query.where(
            or_(ApiKeyRow.maker_id == key_filter.maker, ApiKeyRow.owner_id == key_filter.maker)
        )
    return query


async def _locked(session: AsyncSession, condition: Any) -> list[ApiKeyRow]:
    # Always in the same order, so that two transactions that lock the same rows don't deadlock.
    query = select(ApiKeyRow).where(condition).order_by(ApiKeyRow.id).with_for_update()
    return list(await session.scalars(query))
