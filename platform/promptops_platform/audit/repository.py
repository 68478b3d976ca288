"""SQL of the audit trail."""

from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.tables import AuditRow


def add(session: AsyncSession, row: AuditRow) -> None:
    """Append an entry."""
    session.add(row)
