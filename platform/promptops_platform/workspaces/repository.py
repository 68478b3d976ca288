"""SQL of workspaces."""

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.tables import WorkspaceRow


async def every(session: AsyncSession) -> list[WorkspaceRow]:
    """All workspaces, oldest first."""
    rows = await session.scalars(
        select(WorkspaceRow).order_by(WorkspaceRow.created_at, WorkspaceRow.id)
    )
    return list(rows)


async def by_id_or_slug(session: AsyncSession, name: str) -> WorkspaceRow | None:
    """An id wins over another workspace's slug."""
    rows = await session.scalars(
        select(WorkspaceRow).where(or_(WorkspaceRow.id == name, WorkspaceRow.slug == name))
    )
    found = {row.id == name: row for row in rows}
    return found.get(True) or found.get(False)
