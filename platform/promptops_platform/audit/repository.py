"""SQL of the audit trail."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.tables import AuditRow


def add(session: AsyncSession, row: AuditRow) -> None:
    """Append an entry."""
    session.add(row)


async def page(session: AsyncSession, limit: int, offset: int) -> tuple[list[AuditRow], int]:
    """Entries, newest first, and how many there are in all."""
    rows = await session.scalars(
        select(AuditRow).order_by(AuditRow.id.desc()).limit(limit).offset(offset)
    )
    total = await session.scalar(select(func.count()).select_from(AuditRow))
    return list(rows), total or 0
