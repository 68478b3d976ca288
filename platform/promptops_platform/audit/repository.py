"""SQL of the audit trail."""

from collections.abc import Collection, Mapping

from sqlalchemy import func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.tables import AuditCountRow, AuditRow

NO_WORKSPACE = ""


def add(session: AsyncSession, row: AuditRow) -> None:
    """Append an entry."""
    session.add(row)


async def add_to_counts(session: AsyncSession, scopes: Mapping[str, int]) -> None:
    """Count new entries; the rows stay locked until the commit, so they are taken in one order."""
    table = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    for scope, number in sorted(scopes.items()):
        await session.execute(
            table.insert(AuditCountRow)
            .values(scope=scope, total=number)
            .on_conflict_do_update(
                index_elements=[AuditCountRow.scope],
                set_={"total": AuditCountRow.total + number},
            )
        )


async def page(
    session: AsyncSession, readable: Collection[str] | None, limit: int, offset: int
) -> tuple[list[AuditRow], int]:
    """Entries, newest first, and how many there are; of these workspaces and of none, or all."""
    query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit).offset(offset)
    count = select(func.sum(AuditCountRow.total))
    if readable is not None:
        query = query.where(
            or_(AuditRow.workspace_id.is_(None), AuditRow.workspace_id.in_(readable))
        )
        count = count.where(AuditCountRow.scope.in_([NO_WORKSPACE, *readable]))
    rows = await session.scalars(query)
    return list(rows), int(await session.scalar(count) or 0)
