"""SQL of approvals."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.approvals.tables import ApprovalLinkRow, ApprovalRow
from promptops_platform.db.pages import Part, ordered, page_of

WAITING, CLOSED = "waiting", "closed"
SORTED_BY = {"created_at": ApprovalRow.created_at, "deadline_at": ApprovalRow.deadline_at}


@dataclass(frozen=True, slots=True)
class ApprovalFilter:
    """Filters of a list; None matches all. `workspaces` and `scopes` are those that the caller can
    see."""

    state: str | None = None
    run_id: str | None = None
    workflow: str | None = None
    workspaces: Collection[str] | None = None
    scopes: Collection[str] | None = None


async def get(session: AsyncSession, approval_id: str, *, lock: bool = False) -> ApprovalRow | None:
    """Return the current row of the database."""
    return await session.get(ApprovalRow, approval_id, with_for_update=lock, populate_existing=True)


async def of_run(session: AsyncSession, run_id: str) -> dict[int, ApprovalRow]:
    """Return the approvals of a run, in the order of their steps."""
    query = select(ApprovalRow).where(ApprovalRow.run_id == run_id)
    rows = await session.scalars(query.execution_options(populate_existing=True))
    return {row.position: row for row in rows}


async def close(session: AsyncSession, run_id: str) -> None:
    """Close the waiting approvals of a run."""
    await session.execute(
        update(ApprovalRow)
        .where(ApprovalRow.run_id == run_id, ApprovalRow.state == WAITING)
        .values(state=CLOSED, sealed=None)
        .execution_options(synchronize_session=False)
    )


async def page(
    session: AsyncSession, filters: ApprovalFilter, part: Part
) -> tuple[list[ApprovalRow], int]:
    """Return approvals, newest first by default, and the total."""
    query = _filtered(filters)
    query = ordered(query, part, SORTED_BY, default="-created_at", unique=ApprovalRow.id)
    rows, total = await page_of(session, query, part)
    return [row for (row,) in rows], total


async def link(session: AsyncSession, token_hash: str) -> ApprovalLinkRow | None:
    """Return the link with this token."""
    return await session.get(ApprovalLinkRow, token_hash)


async def remove_links(session: AsyncSession, approval_id: str) -> None:
    """Delete the links of an approval."""
    await session.execute(delete(ApprovalLinkRow).where(ApprovalLinkRow.approval_id == approval_id))


async def all_sealed(session: AsyncSession) -> AsyncIterator[ApprovalRow]:
    """Return all approvals with a sealed message, locked."""
    query = select(ApprovalRow).where(ApprovalRow.sealed.is_not(None)).with_for_update()
    for row in await session.scalars(query):
        yield row


def _filtered(filters: ApprovalFilter) -> Select[Any]:
    query = select(ApprovalRow)
    columns = {
        ApprovalRow.state: filters.state,
        ApprovalRow.run_id: filters.run_id,
        ApprovalRow.workflow: filters.workflow,
    }
    for column, value in columns.items():
        if value is not None:
            query = query.where(column == value)
    if filters.workspaces is not None:
        query = query.where(ApprovalRow.workspace_id.in_(filters.workspaces))
    if filters.scopes is not None:
        query = query.where(ApprovalRow.scope.in_(filters.scopes))
    return query
