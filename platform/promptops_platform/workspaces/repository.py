"""SQL of workspaces, their members and environments."""

from collections.abc import Sequence

from sqlalchemy import Row, delete, func, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.tables import EnvironmentRow, MemberRow, UserRow, WorkspaceRow

# Any number, the same in every process.
WORKSPACE_SLUGS_LOCK = 7_305_818_243


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


async def lock_slugs(session: AsyncSession) -> None:
    """Let nobody else choose a slug before the commit; SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": WORKSPACE_SLUGS_LOCK}
        )


async def slugs_from(session: AsyncSession, beginning: str) -> set[str]:
    """The slugs that begin so."""
    begins = func.substr(WorkspaceRow.slug, 1, len(beginning)) == beginning
    return set(await session.scalars(select(WorkspaceRow.slug).where(begins)))


async def hold(session: AsyncSession, workspace_id: str) -> bool:
    """Keep a workspace from being deleted before the commit; False where it is gone already."""
    found = await session.scalar(
        select(WorkspaceRow.id)
        .where(WorkspaceRow.id == workspace_id)
        .with_for_update(read=True, key_share=True)
    )
    return found is not None


async def lock(
    session: AsyncSession, workspace_id: str, *, from_new_content: bool = False
) -> WorkspaceRow | None:
    """A workspace as it is now, locked until the commit; `from_new_content` also keeps others from
    making anything in it."""
    result: WorkspaceRow | None = await session.scalar(
        select(WorkspaceRow)
        .where(WorkspaceRow.id == workspace_id)
        .with_for_update(key_share=not from_new_content)
        .execution_options(populate_existing=True)
    )
    return result


async def remove(session: AsyncSession, workspace_id: str) -> None:
    """Delete a workspace and, by the foreign keys, its members, environments and keys."""
    await session.execute(
        delete(WorkspaceRow)
        .where(WorkspaceRow.id == workspace_id)
        .execution_options(synchronize_session=False)
    )


async def members(session: AsyncSession, workspace_id: str) -> Sequence[Row[tuple[MemberRow, str]]]:
    """The members of a workspace with their names, by name."""
    rows = await session.execute(
        select(MemberRow, UserRow.username)
        .join(UserRow, UserRow.id == MemberRow.user_id)
        .where(MemberRow.workspace_id == workspace_id)
        .order_by(UserRow.username)
    )
    return rows.all()


async def member(session: AsyncSession, workspace_id: str, user_id: str) -> MemberRow | None:
    return await session.get(MemberRow, (workspace_id, user_id))


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


async def environment(session: AsyncSession, workspace_id: str, name: str) -> EnvironmentRow | None:
    """An environment, which can't be taken away before the commit."""
    result: EnvironmentRow | None = await session.scalar(
        select(EnvironmentRow)
        .where(EnvironmentRow.workspace_id == workspace_id, EnvironmentRow.name == name)
        .with_for_update(read=True, key_share=True)
    )
    return result


async def append_environment(session: AsyncSession, workspace_id: str, name: str) -> None:
    """Add an environment as the last one, unless another request has done so meanwhile."""
    last = await session.scalar(
        select(func.max(EnvironmentRow.position)).where(EnvironmentRow.workspace_id == workspace_id)
    )
    table = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    await session.execute(
        table.insert(EnvironmentRow)
        .values(
            workspace_id=workspace_id,
            name=name,
            position=0 if last is None else last + 1,
            protected=False,
        )
        .on_conflict_do_nothing()
    )


async def remove_environment(session: AsyncSession, workspace_id: str, name: str) -> None:
    """Take an environment away; waits for those who are changing something in it."""
    await session.execute(
        delete(EnvironmentRow)
        .where(EnvironmentRow.workspace_id == workspace_id, EnvironmentRow.name == name)
        .execution_options(synchronize_session=False)
    )
