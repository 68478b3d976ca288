"""Pages of the audit trail: the SQL of their filters, and of the total."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Insert, Select, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.audit.schemas import AuditFilter
from promptops_platform.db.search import EXACT_TOTAL, tested
from promptops_platform.db.tables import AuditCountRow, AuditRow

# From the filter that leaves fewest entries to the one that leaves most, as a rule.
MOST_SELECTIVE_FIRST = ("resource_id", "key", "actor", "action", "resource")
NO_WORKSPACE = ""


class Entries(NamedTuple):
    """Entries, newest first, and how many there are in all; with `total_is_at_least` there are
    more than `total`."""

    rows: Sequence[AuditRow]
    total: int
    total_is_at_least: bool


async def page(session: AsyncSession, wanted: AuditFilter, *, limit: int, offset: int) -> Entries:
    """A part of the entries that are wanted."""
    kept = await _kept(session, wanted.workspaces)
    hits = _hits(wanted, kept)
    total, more = kept, False
    if not wanted.is_unfiltered:
        some = hits.order_by(None).limit(EXACT_TOTAL + 1).subquery()
        total = await session.scalar(select(func.count()).select_from(some)) or 0
        total, more = min(total, EXACT_TOTAL), total > EXACT_TOTAL
    ids = hits.limit(limit).offset(offset).subquery()
    rows = await session.scalars(
        select(AuditRow)
        .join(ids, ids.c.id == AuditRow.id)
        .order_by(AuditRow.created_at.desc(), AuditRow.id.desc())
    )
    return Entries(rows.all(), total, more)


async def count(session: AsyncSession, added: Mapping[str | None, int]) -> None:
    """Add to the totals of these workspaces; they stay locked until the commit."""
    # In one order everywhere, so that no two transactions wait for each other.
    for workspace_id, entries in sorted((each or NO_WORKSPACE, n) for each, n in added.items()):
        await session.execute(_counting(session, workspace_id, entries))


def _counting(session: AsyncSession, workspace_id: str, entries: int) -> Insert:
    table = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    counted: Insert = (
        table.insert(AuditCountRow)
        .values(scope=workspace_id, total=entries)
        .on_conflict_do_update(
            index_elements=[AuditCountRow.scope], set_={"total": AuditCountRow.total + entries}
        )
    )
    return counted


async def _kept(session: AsyncSession, workspaces: Sequence[str | None] | None) -> int:
    """How many entries these workspaces have."""
    query = select(func.sum(AuditCountRow.total))
    if workspaces is not None:
        names = [each or NO_WORKSPACE for each in workspaces]
        query = query.where(AuditCountRow.scope.in_(names))
    return int(await session.scalar(query) or 0)


def _hits(wanted: AuditFilter, kept: int) -> Select[Any]:
    """Id and time of the entries that are wanted, newest first, from the index of the most
    selective filter; `kept` is how many entries the workspaces have."""
    tests: list[ColumnElement[bool]] = []
    for name in MOST_SELECTIVE_FIRST:
        value = getattr(wanted, name)
        if value is not None:
            column = getattr(AuditRow, name)
            tests.append((tested(column) if tests else column) == value)
    by_time: Any = AuditRow.created_at
    if wanted.workspaces is not None:
        column = tested(AuditRow.workspace_id)
        if not tests and len(wanted.workspaces) == 1:
            column = AuditRow.workspace_id
        elif not tests and kept <= EXACT_TOTAL:
            # Few entries in several workspaces: to sort them costs less than to look for them.
            column, by_time = AuditRow.workspace_id, tested(AuditRow.created_at)
        tests.append(_in_workspaces(column, wanted.workspaces))
    if wanted.since is not None:
        tests.append(by_time >= wanted.since)
    if wanted.until is not None:
        tests.append(by_time < wanted.until)
    return (
        select(AuditRow.id, AuditRow.created_at)
        .where(*tests)
        .order_by(by_time.desc(), AuditRow.id.desc())
    )


def _in_workspaces(column: Any, workspaces: Sequence[str | None]) -> ColumnElement[bool]:
    tests = [column.is_(None)] if None in workspaces else []
    named = [each for each in workspaces if each is not None]
    # One is no list of one: only so is its index known to be in order.
    tests.append(column == named[0] if len(named) == 1 else column.in_(named))
    return or_(*(tests if named else tests[:1]))
