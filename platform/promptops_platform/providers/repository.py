"""SQL of connections to model providers, and of the check of their encryption."""

from collections.abc import Collection

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.pages import WHOLE, Part, containing_text, ordered, page_of
from promptops_platform.providers.tables import ConnectionRow, SecretCheckRow

THE_CHECK = 1
SORTED_BY = {
    "name": ConnectionRow.name,
    "kind": ConnectionRow.kind,
    "updated_at": ConnectionRow.updated_at,
}


async def get(
    session: AsyncSession, connection_id: str, *, lock: bool = False
) -> ConnectionRow | None:
    """A connection by id; `lock` locks its row until the commit."""
    return await session.get(ConnectionRow, connection_id, with_for_update=lock)


async def search(
    session: AsyncSession,
    readable: Collection[str] | None,
    workspace_id: str | None,
    text: str | None,
    part: Part = WHOLE,
) -> tuple[list[ConnectionRow], int]:
    """Connections of these workspaces, None for all, with `text` in name, kind or model, and how
    many there are; by default by name."""
    query = select(ConnectionRow)
    if readable is not None:
        query = query.where(ConnectionRow.workspace_id.in_(readable))
    if workspace_id is not None:
        query = query.where(ConnectionRow.workspace_id == workspace_id)
    query = containing_text(
        query, text, ConnectionRow.name, ConnectionRow.kind, ConnectionRow.model
    )
    query = ordered(query, part, SORTED_BY, default="name", unique=ConnectionRow.id)
    rows, total = await page_of(session, query, part)
    return [row for (row,) in rows], total


async def count(session: AsyncSession, workspace_id: str) -> int:
    """How many connections a workspace has."""
    query = select(func.count()).where(ConnectionRow.workspace_id == workspace_id)
    return await session.scalar(query.select_from(ConnectionRow)) or 0


async def clear(session: AsyncSession, workspace_id: str) -> int:
    """Delete the connections of a workspace; return their number."""
    deleted = await session.scalars(
        delete(ConnectionRow)
        .where(ConnectionRow.workspace_id == workspace_id)
        .returning(ConnectionRow.id)
        .execution_options(synchronize_session=False)
    )
    return len(deleted.all())


async def remove(session: AsyncSession, connection_id: str) -> None:
    """Delete a connection."""
    await session.execute(delete(ConnectionRow).where(ConnectionRow.id == connection_id))


async def with_key(session: AsyncSession) -> list[ConnectionRow]:
    """The connections of all workspaces that have a key, locked until the commit."""
    query = (
        select(ConnectionRow)
        .where(ConnectionRow.sealed_key.is_not(None))
        .order_by(ConnectionRow.id)
        .with_for_update()
    )
    return list(await session.scalars(query))


async def has_any_key(session: AsyncSession) -> bool:
    """Whether any connection has a key."""
    query = select(ConnectionRow.id).where(ConnectionRow.sealed_key.is_not(None)).limit(1)
    return await session.scalar(query) is not None


async def check(session: AsyncSession) -> str | None:
    """The sealed check, None where nothing has been encrypted yet."""
    row = await session.get(SecretCheckRow, THE_CHECK)
    return row.sealed if row else None


async def lock_check(session: AsyncSession, first: str) -> SecretCheckRow:
    """The sealed check, which is `first` where there was none, locked until the commit."""
    table = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    await session.execute(
        table.insert(SecretCheckRow).values(id=THE_CHECK, sealed=first).on_conflict_do_nothing()
    )
    query = select(SecretCheckRow).with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(query)).one()
