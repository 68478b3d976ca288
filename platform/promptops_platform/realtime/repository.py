"""SQL of the live connections that replicas share; PostgreSQL only."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, Text, bindparam, cast, delete, or_, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.realtime.tables import LiveClientRow
from promptops_platform.realtime.watchers import CONSOLE

ROWS_AT_ONCE = 500


async def clear(session: AsyncSession, replica: str) -> None:
    """Delete all connections of a replica."""
    await session.execute(delete(LiveClientRow).where(LiveClientRow.replica_id == replica))


async def remove(session: AsyncSession, ids: Sequence[str]) -> None:
    """Delete connections that have ended."""
    for start in range(0, len(ids), ROWS_AT_ONCE):
        batch = ids[start : start + ROWS_AT_ONCE]
        await session.execute(delete(LiveClientRow).where(LiveClientRow.id.in_(batch)))


async def save(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Insert new and update changed connections."""
    statement = postgresql.insert(LiveClientRow)
    changing = ("workspace", "environments", "readable", "keys", "key_count", "revision")
    statement = statement.on_conflict_do_update(
        index_elements=[LiveClientRow.id],
        set_={name: statement.excluded[name] for name in (*changing, "reported_at")},
    )
    for start in range(0, len(rows), ROWS_AT_ONCE):
        await session.execute(statement, list(rows[start : start + ROWS_AT_ONCE]))


async def of_replicas(session: AsyncSession, replicas: Sequence[str]) -> Sequence[Row[Any]]:
    """Return the connections of these replicas, without their keys."""
    return (await session.execute(_of(replicas))).all()


async def holders(
    session: AsyncSession, replicas: Sequence[str], env: str, key: str, every: str
) -> Sequence[Row[Any]]:
    """Return those that watch an environment and have, or may have, a key in memory; `every` stands
    for all keys."""
    environments = cast(LiveClientRow.environments, JSONB)
    keys = cast(LiveClientRow.keys, JSONB)
    query = _of(replicas).where(
        LiveClientRow.client_type != CONSOLE,
        or_(LiveClientRow.environments.is_(None), environments.contains([env])),
        or_(LiveClientRow.keys.is_(None), keys.contains([key]), keys.contains([every])),
    )
    return (await session.execute(query)).all()


async def programs(
    session: AsyncSession, replicas: Sequence[str], keys: Sequence[str] | None
) -> Sequence[Row[Any]]:
    """Return those at these replicas with their keys, without consoles; with `keys` those that
    have, or may have, one of them in memory."""
    query = select(LiveClientRow.__table__).where(
        LiveClientRow.replica_id.in_(replicas), LiveClientRow.client_type != CONSOLE
    )
    if keys is not None:
        names = cast(bindparam(None, list(keys), type_=ARRAY(Text)), ARRAY(Text))
        overlap = cast(LiveClientRow.keys, JSONB).op("?|", is_comparison=True)(names)
        query = query.where(or_(LiveClientRow.keys.is_(None), overlap))
    return (await session.execute(query)).all()


def _of(replicas: Sequence[str]) -> Select[Any]:
    columns = [column for column in LiveClientRow.__table__.columns if column.name != "keys"]
    return select(*columns).where(LiveClientRow.replica_id.in_(replicas))
