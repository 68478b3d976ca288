"""Pages of the run log: the SQL of their filters, places and totals."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, literal, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from promptops_platform.db.run_tables import RunRow
from promptops_platform.db.search import EXACT_TOTAL, tested
from promptops_platform.db.types import UtcDateTime
from promptops_platform.runs.repository import ENDED, RUNNING, UNDER_WAY, counted

# From the filter that leaves fewest runs to the one that leaves most, as a rule.
MOST_SELECTIVE_FIRST = {
    "key": RunRow.ref_key,
    "user": RunRow.user_name,
    "model": RunRow.model,
    "provider": RunRow.provider,
    "source": RunRow.source,
    "status": RunRow.status,
}


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Filters of the run log; None filters nothing, but for the status: without one, the runs that
    have ended. `workspaces` are ids, `scopes` as in `access.scopes`; `since` is inclusive, `until`
    is not."""

    source: str | None = None
    key: str | None = None
    status: str | None = None
    provider: str | None = None
    model: str | None = None
    user: str | None = None
    workspaces: Sequence[str] | None = None
    scopes: Sequence[str] | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_unfiltered(self) -> bool:
        """Whether it is kept to nothing but workspaces."""
        return replace(self, workspaces=None) == RunFilter()


class Place(NamedTuple):
    """Where a run stands in the order of the list."""

    created_at: datetime
    id: str


class Total(NamedTuple):
    """How many runs there are; with `is_at_least` there are more."""

    number: int
    is_at_least: bool


async def total(session: AsyncSession, wanted: RunFilter) -> Total:
    """How many runs are wanted: of a filtered list at most EXACT_TOTAL, which bounds its cost."""
    kept = await counted(session, wanted.workspaces)
    if wanted.is_unfiltered:
        return Total(kept, is_at_least=False)
    hits = _hits(wanted, kept, None, EXACT_TOTAL + 1).order_by(None)
    some = hits.limit(EXACT_TOTAL + 1).subquery()
    number = await session.scalar(select(func.count()).select_from(some)) or 0
    return Total(min(number, EXACT_TOTAL), number > EXACT_TOTAL)


async def page(
    session: AsyncSession,
    wanted: RunFilter,
    *,
    limit: int,
    offset: int = 0,
    before: Place | None = None,
) -> list[RunRow]:
    """A part of the runs that are wanted, newest first; `before` leaves out those up to and with
    that place, and costs the same wherever it is."""
    kept = await counted(session, wanted.workspaces)
    hits = _hits(wanted, kept, before, limit + offset)
    ids = hits.limit(limit).offset(offset).subquery()
    rows = await session.scalars(
        select(RunRow)
        # A list does not answer them, and they may be megabytes.
        .options(defer(RunRow.output, raiseload=True), defer(RunRow.inputs, raiseload=True))
        .join(ids, ids.c.id == RunRow.id)
        .order_by(RunRow.created_at.desc(), RunRow.id.desc())
    )
    return list(rows)


def _hits(wanted: RunFilter, kept: int, before: Place | None, most: int) -> Select[Any]:
    """Id and time of the first `most` runs that are wanted, and perhaps of others, newest first,
    from the index of the most selective filter; `kept` is how many ended runs the workspaces
    have."""
    if wanted.scopes is None:
        return _hits_of(wanted, kept, before)
    # Each scope by itself is in order in its index; all of them together are not.
    parts = [
        select(part.c.id, part.c.created_at)
        for scope in wanted.scopes
        for part in [_hits_of(wanted, kept, before, scope).limit(most).subquery()]
    ]
    together = union_all(*parts).subquery()
    by_time = together.c.created_at
    return select(together.c.id, by_time).order_by(by_time.desc(), together.c.id.desc())


def _hits_of(
    wanted: RunFilter, kept: int, before: Place | None, scope: str | None = None
) -> Select[Any]:
    under_way = wanted.status == RUNNING
    tests: list[ColumnElement[bool]] = []
    for name, column in MOST_SELECTIVE_FIRST.items():
        value = getattr(wanted, name)
        if value is not None and not (name == "status" and under_way):
            # The few that are under way have one index, by time.
            driven = not tests and not under_way
            tests.append((column if driven else tested(column)) == value)
    if scope is not None:
        driven = not tests and not under_way
        tests.append((RunRow.scope if driven else tested(RunRow.scope)) == scope)
    by_time: Any = RunRow.created_at
    if wanted.workspaces is not None:
        workspace: Any = tested(RunRow.workspace_id)
        if not tests and not under_way and len(wanted.workspaces) == 1:
            workspace = RunRow.workspace_id
        elif not tests and not under_way and kept <= EXACT_TOTAL:
            # Few runs in several workspaces: to sort them costs less than to look for them.
            workspace, by_time = RunRow.workspace_id, tested(RunRow.created_at)
        tests.append(_among(workspace, wanted.workspaces))
    if wanted.since is not None:
        tests.append(by_time >= wanted.since)
    if wanted.until is not None:
        tests.append(by_time < wanted.until)
    if before is not None:
        at = literal(before.created_at, UtcDateTime())
        tests.append(tuple_(by_time, RunRow.id) < tuple_(at, literal(before.id)))
    return (
        select(RunRow.id, RunRow.created_at)
        .where(UNDER_WAY if under_way else ENDED, *tests)
        .order_by(by_time.desc(), RunRow.id.desc())
    )


def _among(column: Any, workspaces: Sequence[str]) -> ColumnElement[bool]:
    # One is no list of one: only so is its index known to be in order.
    found: ColumnElement[bool] = (
        column == workspaces[0] if len(workspaces) == 1 else column.in_(workspaces)
    )
    return found
