"""Pages of the audit trail: the SQL of their filters, positions and totals."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.audit.repository import counted
from promptops_platform.audit.schemas import AuditFilter
from promptops_platform.audit.tables import AuditRow
from promptops_platform.db.search import EXACT_TOTAL, unindexed
from promptops_platform.db.types import UtcDateTime

# From the filter that usually leaves the fewest entries to the one that leaves the most.
MOST_SELECTIVE_FIRST = ("request_id", "resource_id", "key", "actor", "action", "resource")


class EntryPosition(NamedTuple):
    """The position of an entry in the order of the list."""

    created_at: datetime
    id: int


class Total(NamedTuple):
    """The number of entries; with `is_at_least` there are more."""

    number: int
    is_at_least: bool


async def place(session: AsyncSession, entry_id: int) -> EntryPosition | None:
    """Return the position of this entry; None if it doesn't exist."""
    query = select(AuditRow.created_at, AuditRow.id).where(AuditRow.id == entry_id)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else EntryPosition(*row)


async def total(session: AsyncSession, filters: AuditFilter) -> Total:
    """Return the number of matching entries; for a filtered list at most EXACT_TOTAL, which limits
    the cost."""
    kept = await counted(session, filters.workspaces)
    if filters.is_unfiltered:
        return Total(kept, is_at_least=False)
    some = _hits(filters, kept, None).order_by(None).limit(EXACT_TOTAL + 1).subquery()
    number = await session.scalar(select(func.count()).select_from(some)) or 0
    return Total(min(number, EXACT_TOTAL), number > EXACT_TOTAL)


async def entries(
    session: AsyncSession,
    filters: AuditFilter,
    *,
    limit: int,
    offset: int = 0,
    before: EntryPosition | None = None,
) -> list[AuditRow]:
    """Return a part of the matching entries, newest first; `before` skips those up to and including
    that position, at the same cost for any position."""
    kept = await counted(session, filters.workspaces)
    ids = _hits(filters, kept, before).limit(limit).offset(offset).subquery()
    rows = await session.scalars(
        select(AuditRow)
        .join(ids, ids.c.id == AuditRow.id)
        .order_by(AuditRow.created_at.desc(), AuditRow.id.desc())
    )
    return list(rows)


def _hits(filters: AuditFilter, kept: int, before: EntryPosition | None) -> Select[Any]:
    """Return id and time of the matching entries, newest first, from the index of the most
    selective filter; `kept` is how many entries the workspaces have."""
    tests: list[ColumnElement[bool]] = []
    for name in MOST_SELECTIVE_FIRST:
        value = getattr(filters, name)
        if value is not None:
            column = getattr(AuditRow, name)
            tests.append((unindexed(column) if tests else column) == value)
    by_time: Any = AuditRow.created_at
    if filters.workspaces is not None:
        column = unindexed(AuditRow.workspace_id)
        if not tests and len(filters.workspaces) == 1:
            column = AuditRow.workspace_id
        elif not tests and kept <= EXACT_TOTAL:
            # Few entries in several workspaces: sorting them costs less than searching them.
            column, by_time = AuditRow.workspace_id, unindexed(AuditRow.created_at)
        tests.append(_in_workspaces(column, filters.workspaces))
    if filters.since is not None:
        tests.append(by_time >= filters.since)
    if filters.until is not None:
        tests.append(by_time < filters.until)
    if before is not None:
        at = literal(before.created_at, UtcDateTime())
        tests.append(tuple_(by_time, AuditRow.id) < tuple_(at, literal(before.id)))
    return (
        select(AuditRow.id, AuditRow.created_at)
        .where(*tests)
        .order_by(by_time.desc(), AuditRow.id.desc())
    )


def _in_workspaces(column: Any, workspaces: Sequence[str | None]) -> ColumnElement[bool]:
    tests = [column.is_(None)] if None in workspaces else []
    ids = [workspace for workspace in workspaces if workspace is not None]
    # One value is compared with `=`, because only then is its index known to be in order.
    tests.append(column == ids[0] if len(ids) == 1 else column.in_(ids))
    return or_(*(tests if ids else tests[:1]))
