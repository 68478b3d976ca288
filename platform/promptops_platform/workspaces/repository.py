"""SQL of workspaces, their members and environments."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, delete, func, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.access.tables import UserRow
from promptops_platform.db.pages import Part, containing_text, ordered, page_of
from promptops_platform.workspaces.tables import EnvironmentRow, MemberRow, WorkspaceRow

# An arbitrary number, the same in every process.
WORKSPACE_SLUGS_LOCK = 7_305_818_243
SORTED_BY = {
    "name": WorkspaceRow.name,
    "slug": WorkspaceRow.slug,
    "created_at": WorkspaceRow.created_at,
}
MEMBERS_SORTED_BY = {
    "username": UserRow.username,
    "role": MemberRow.role,
    "created_at": MemberRow.created_at,
}


async def exists(session: AsyncSession) -> bool:
    """Whether any workspace exists."""
    return await session.scalar(select(WorkspaceRow.id).limit(1)) is not None


async def search(
    session: AsyncSession, readable: Collection[str] | None, text: str | None, part: Part
) -> tuple[list[WorkspaceRow], int]:
    """Return those of these workspaces (None for all) with `text` in name or slug, and the total;
    oldest first by default."""
    query = containing_text(select(WorkspaceRow), text, WorkspaceRow.name, WorkspaceRow.slug)
    if readable is not None:
        query = query.where(WorkspaceRow.id.in_(readable))
    query = ordered(query, part, SORTED_BY, default="created_at", unique=WorkspaceRow.id)
    rows, total = await page_of(session, query, part)
    return [row for (row,) in rows], total


async def by_id_or_slug(session: AsyncSession, name: str) -> WorkspaceRow | None:
    """An id takes precedence over another workspace's slug."""
    rows = await session.scalars(
        select(WorkspaceRow).where(or_(WorkspaceRow.id == name, WorkspaceRow.slug == name))
    )
    row_by_match = {row.id == name: row for row in rows}
    return row_by_match.get(True) or row_by_match.get(False)


async def lock_slugs(session: AsyncSession) -> None:
    """Block others from choosing a slug until the commit; SQLite has only one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": WORKSPACE_SLUGS_LOCK}
        )


async def slugs_from(session: AsyncSession, beginning: str) -> set[str]:
    """Return the slugs that begin with this text."""
    begins = func.substr(WorkspaceRow.slug, 1, len(beginning)) == beginning
    return set(await session.scalars(select(WorkspaceRow.slug).where(begins)))


async def lock_row(session: AsyncSession, workspace_id: str) -> bool:
    """Protect a workspace from deletion until the commit; False if it is already deleted."""
    id_ = await session.scalar(
        select(WorkspaceRow.id)
        .where(WorkspaceRow.id == workspace_id)
        .with_for_update(read=True, key_share=True)
    )
    return id_ is not None


async def lock(
    session: AsyncSession, workspace_id: str, *, from_new_content: bool = False
) -> WorkspaceRow | None:
    """Return the current row, locked until the commit; `from_new_content` also blocks others from
    creating anything in it."""
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


async def members(
    session: AsyncSession, workspace_id: str, text: str | None, part: Part
) -> tuple[Sequence[Row[Any]], int]:
    """Return the members of a workspace with `text` in their names, each with the name, and the
    total; sorted by name by default."""
    query = select(MemberRow, UserRow.username).join(UserRow, UserRow.id == MemberRow.user_id)
    query = query.where(MemberRow.workspace_id == workspace_id)
    query = containing_text(query, text, UserRow.username)
    query = ordered(query, part, MEMBERS_SORTED_BY, default="username", unique=UserRow.id)
    return await page_of(session, query, part)


async def member(session: AsyncSession, workspace_id: str, user_id: str) -> MemberRow | None:
    return await session.get(MemberRow, (workspace_id, user_id))


def add_member(session: AsyncSession, row: MemberRow) -> None:
    """Add a user to a workspace."""
    session.add(row)


async def environments(session: AsyncSession, workspace_id: str) -> list[EnvironmentRow]:
    """Return the environments of a workspace in their order."""
    rows = await session.scalars(
        select(EnvironmentRow)
        .where(EnvironmentRow.workspace_id == workspace_id)
        .order_by(EnvironmentRow.position, EnvironmentRow.name)
    )
    return list(rows)


async def environments_of(
    session: AsyncSession, workspace_ids: Collection[str]
) -> dict[str, list[EnvironmentRow]]:
    """Return the environments of these workspaces in their order."""
    rows = await session.scalars(
        select(EnvironmentRow)
        .where(EnvironmentRow.workspace_id.in_(workspace_ids))
        .order_by(EnvironmentRow.workspace_id, EnvironmentRow.position, EnvironmentRow.name)
    )
    by_workspace: dict[str, list[EnvironmentRow]] = {}
    for row in rows:
        by_workspace.setdefault(row.workspace_id, []).append(row)
    return by_workspace


async def environment(session: AsyncSession, workspace_id: str, name: str) -> EnvironmentRow | None:
    """Return an environment, which can't be removed before the commit."""
    result: EnvironmentRow | None = await session.scalar(
        select(EnvironmentRow)
        .where(EnvironmentRow.workspace_id == workspace_id, EnvironmentRow.name == name)
        .with_for_update(read=True, key_share=True)
    )
    return result


async def append_environment(session: AsyncSession, workspace_id: str, name: str) -> None:
    """Append an environment, unless another request has done so meanwhile."""
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
            approvals=0,
            allow_bypass=False,
        )
        .on_conflict_do_nothing()
    )


async def remove_environment(session: AsyncSession, workspace_id: str, name: str) -> None:
    """Remove an environment; waits for those who are changing something in it."""
    await session.execute(
        delete(EnvironmentRow)
        .where(EnvironmentRow.workspace_id == workspace_id, EnvironmentRow.name == name)
        .execution_options(synchronize_session=False)
    )
