"""SQL of change requests."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from promptops_platform.change_requests.tables import (
    OPEN,
    ChangeRequestApprovalRow,
    ChangeRequestEventRow,
    ChangeRequestRow,
)
from promptops_platform.db.pages import Part, containing_text, page_of


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Filters of a list; None matches all. `states` are stored states, `author_id` is a caller's
    id, `text` is contained in the key."""

    workspace_id: str | None = None
    env: str | None = None
    states: Collection[str] | None = None
    resource_id: str | None = None
    author_id: str | None = None
    text: str | None = None


async def page(
    session: AsyncSession,
    filters: RequestFilter,
    *,
    readable: Collection[str] | None,
    environments: Collection[str] | None,
    part: Part,
) -> tuple[list[ChangeRequestRow], int]:
    """Return requests of these workspaces and environments (None for all), newest first, and the
    total."""
    query = select(ChangeRequestRow)
    if readable is not None:
        query = query.where(ChangeRequestRow.workspace_id.in_(readable))
    if environments is not None:
        query = query.where(ChangeRequestRow.env.in_(environments))
    rows, total = await page_of(
        session, _filtered(query, filters).order_by(ChangeRequestRow.id.desc()), part
    )
    return [row for (row,) in rows], total


def _filtered(query: Select[Any], filters: RequestFilter) -> Select[Any]:
    row = ChangeRequestRow
    for column, value in (
        (row.workspace_id, filters.workspace_id),
        (row.env, filters.env),
        (row.resource_id, filters.resource_id),
        (row.author_id, filters.author_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if filters.states is not None:
        query = query.where(row.state.in_(filters.states))
    return containing_text(query, filters.text, row.key)


async def get(
    session: AsyncSession, request_id: str, *, lock: bool = False
) -> ChangeRequestRow | None:
    """Return a request with its contents; `lock` blocks other writers of the row until the
    commit."""
    query = (
        select(ChangeRequestRow)
        .where(ChangeRequestRow.id == request_id)
        .options(undefer(ChangeRequestRow.before), undefer(ChangeRequestRow.after))
        .execution_options(populate_existing=True)
    )
    row: ChangeRequestRow | None = await session.scalar(query.with_for_update() if lock else query)
    return row


async def open_of(
    session: AsyncSession, resource_id: str, author_id: str
) -> Sequence[ChangeRequestRow]:
    """Return the open requests of an author for a resource."""
    rows = await session.scalars(
        select(ChangeRequestRow).where(
            ChangeRequestRow.resource_id == resource_id,
            ChangeRequestRow.author_id == author_id,
            ChangeRequestRow.state == OPEN,
        )
    )
    return rows.all()


async def approvals(
    session: AsyncSession, request_ids: Collection[str]
) -> dict[str, list[ChangeRequestApprovalRow]]:
    """Return the approvals of these requests, oldest first."""
    rows = await session.scalars(
        select(ChangeRequestApprovalRow)
        .where(ChangeRequestApprovalRow.request_id.in_(request_ids))
        .order_by(ChangeRequestApprovalRow.created_at, ChangeRequestApprovalRow.user_id)
    )
    by_request: dict[str, list[ChangeRequestApprovalRow]] = {}
    for row in rows:
        by_request.setdefault(row.request_id, []).append(row)
    return by_request


async def drop_approvals(session: AsyncSession, request_id: str) -> None:
    """Delete the approvals of a request."""
    await session.execute(
        delete(ChangeRequestApprovalRow)
        .where(ChangeRequestApprovalRow.request_id == request_id)
        .execution_options(synchronize_session=False)
    )


async def events(session: AsyncSession, request_id: str) -> Sequence[ChangeRequestEventRow]:
    """Return the events of a request, oldest first."""
    rows = await session.scalars(
        select(ChangeRequestEventRow)
        .where(ChangeRequestEventRow.request_id == request_id)
        .order_by(ChangeRequestEventRow.id)
    )
    return rows.all()


def add(
    session: AsyncSession,
    row: ChangeRequestRow | ChangeRequestApprovalRow | ChangeRequestEventRow,
) -> None:
    """Store a new row."""
    session.add(row)
