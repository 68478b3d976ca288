"""SQL of workflows."""

from collections.abc import Collection

from sqlalchemy import Text, cast, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.search import contains
from promptops_platform.prompts.references import FIELD, STEP_FIELD
from promptops_platform.workflows.tables import WorkflowRow


async def with_prompts(session: AsyncSession, workspace_id: str) -> list[WorkflowRow]:
    """Return the workflows of a workspace that may use a prompt of the registry, by key."""
    steps = cast(WorkflowRow.steps, Text)
    rows = await session.scalars(
        select(WorkflowRow)
        .where(
            WorkflowRow.workspace_id == workspace_id,
            or_(*(contains(steps, f'"{field}"') for field in (FIELD, STEP_FIELD))),
        )
        .order_by(WorkflowRow.key)
    )
    return list(rows)


async def with_step_type(session: AsyncSession, workspace_id: str, type_: str) -> list[WorkflowRow]:
    """Return the workflows of a workspace that may have a step of this type, by key."""
    rows = await session.scalars(
        select(WorkflowRow)
        .where(
            WorkflowRow.workspace_id == workspace_id,
            contains(cast(WorkflowRow.steps, Text), f'"{type_}"'),
        )
        .order_by(WorkflowRow.key)
    )
    return list(rows)


async def keys(
    session: AsyncSession, workspace_id: str, workflow_ids: Collection[str]
) -> list[tuple[str, str]]:
    """Return id and key of these workflows, by key; other ids are left out."""
    if not workflow_ids:
        return []
    rows = await session.execute(
        select(WorkflowRow.id, WorkflowRow.key)
        .where(WorkflowRow.workspace_id == workspace_id, WorkflowRow.id.in_(workflow_ids))
        .order_by(WorkflowRow.key)
    )
    return [(row.id, row.key) for row in rows]
