"""SQL of workspaces, their members and environments."""

from sqlalchemy import func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.tables import EnvironmentRow, MemberRow, WorkspaceRow


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


def add_member(session: AsyncSession, row: MemberRow) -> None:
    """Let a user into a workspace."""
    session.add(row)


async def environments(session: AsyncSession, workspace_id: str) -> list[EnvironmentRow]:
    """The environments of a workspace in their order."""
    rows = await session.scalars(
        select(EnvironmentRow)
        .where(EnvironmentRow.workspace_id == workspace_id)
        .order_by(EnvironmentRow.position, EnvironmentRow.name)
    )
    return list(rows)


async def ensure_environment(session: AsyncSession, workspace_id: str, name: str) -> bool:
    """Whether the environment is protected; one that isn't there is appended."""
    found = await session.get(EnvironmentRow, (workspace_id, name))
    if found is not None:
        return found.protected
    last = await session.scalar(
        select(func.max(EnvironmentRow.position)).where(EnvironmentRow.workspace_id == workspace_id)
    )
    table = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    await session.execute(
        # Another request may have appended it meanwhile.
        table.insert(EnvironmentRow)
        .values(workspace_id=workspace_id, name=name, position=(last or 0) + 1, protected=False)
        .on_conflict_do_nothing()
    )
    return False
