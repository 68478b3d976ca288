"""SQL of workflows."""

from collections.abc import Collection, Sequence

from sqlalchemy import Row, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.search import LIKE_ESCAPE, containing
from promptops_platform.db.tables import WorkflowRow


async def get(session: AsyncSession, workflow_id: str, *, lock: bool = False) -> WorkflowRow | None:
    """A workflow by id; `lock` holds off other writers of the row until the commit."""
    return await session.get(WorkflowRow, workflow_id, with_for_update=lock)


async def search(
    session: AsyncSession,
    readable: Collection[str] | None,
    workspace_id: str | None,
    text: str | None,
) -> list[WorkflowRow]:
    """Workflows of these workspaces, None for all, with `text` in key, name or description; newest
    change first."""
    query = select(WorkflowRow).order_by(WorkflowRow.updated_at.desc(), WorkflowRow.id.desc())
    if readable is not None:
        query = query.where(WorkflowRow.workspace_id.in_(readable))
    if workspace_id is not None:
        query = query.where(WorkflowRow.workspace_id == workspace_id)
    if text is not None:
        columns = (WorkflowRow.key, WorkflowRow.name, WorkflowRow.description)
        pattern = containing(text)
        query = query.where(or_(*(each.ilike(pattern, escape=LIKE_ESCAPE) for each in columns)))
    return list(await session.scalars(query))


async def remove(session: AsyncSession, workflow_id: str) -> None:
    """Delete a workflow; its runs stay in the log."""
    await session.execute(delete(WorkflowRow).where(WorkflowRow.id == workflow_id))


async def count(session: AsyncSession, workspace_id: str) -> int:
    """How many workflows a workspace has."""
    query = select(func.count()).where(WorkflowRow.workspace_id == workspace_id)
    return await session.scalar(query.select_from(WorkflowRow)) or 0


async def clear(session: AsyncSession, workspace_id: str) -> Sequence[Row[tuple[str, str, int]]]:
    """Delete the workflows of a workspace; returns id, key and version of each."""
    gone = await session.execute(
        delete(WorkflowRow)
        .where(WorkflowRow.workspace_id == workspace_id)
        .returning(WorkflowRow.id, WorkflowRow.key, WorkflowRow.version)
        .execution_options(synchronize_session=False)
    )
    return gone.all()
