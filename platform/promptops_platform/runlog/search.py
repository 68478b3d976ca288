"""Pages of the run log: the SQL of their filters, positions and totals."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    func,
    literal,
    literal_column,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from promptops_platform.db.search import EXACT_TOTAL, unindexed
from promptops_platform.db.types import UtcDateTime
from promptops_platform.runlog.repository import ENDED, RUNNING, UNDER_WAY, counted
from promptops_platform.runlog.states import UNDER_WAY_STATES, RunState
from promptops_platform.runlog.tables import RunPromptRow, RunRow

# Usually ordered from the filter that leaves the fewest runs to the one that leaves the most.
MOST_SELECTIVE_FIRST = {
    "retry_of": RunRow.retry_of,
    "key": RunRow.ref_key,
    "user": RunRow.user_name,
    "model": RunRow.model,
    "provider": RunRow.provider,
    "source": RunRow.source,
    "state": RunRow.state,
    "status": RunRow.status,
    # No index begins with it, because it is always combined with a key.
    "version": RunRow.version,
}
# Indexes cover only these runs, so the SQL has to contain their condition literally.
FAILED = RunRow.status == literal_column("'error'")
RETRIES = RunRow.retry_of.is_not(None)


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Filters of the run log; None doesn't filter, except for the status: without it, a state or
    `retry_of`, only runs that have ended match. `workspaces` are ids, `scopes` as in
    `access.scopes`; `since` is inclusive, `until` is exclusive."""

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
    prompt: str | None = None
    prompt_env: str | None = None
    prompt_version: str | None = None
    state: RunState | None = None
    version: str | None = None
    retry_of: str | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether it matches only active runs."""
        return self.status == RUNNING or self.state in UNDER_WAY_STATES

    @property
    def kept(self) -> ColumnElement[bool]:
        """The condition of the matching index, written exactly like in the index."""
        if self.is_under_way:
            return UNDER_WAY
        if self.retry_of is not None and self.status is None and self.state is None:
            return RETRIES
        return FAILED if next(iter(self.values), "") == "state" else ENDED

    @property
    def values(self) -> dict[str, str]:
        """Return the values that columns of the run must equal, by the names of
        `MOST_SELECTIVE_FIRST`."""
        values = {name: getattr(self, name) for name in MOST_SELECTIVE_FIRST}
        if self.state == "completed":
            # They match the same runs, and the index of one is smaller.
            values |= {"state": None, "status": "ok"}
        if self.status == RUNNING:
            values["status"] = None
        return {name: value for name, value in values.items() if value is not None}

    @property
    def is_unfiltered(self) -> bool:
        """Whether it filters by nothing but workspaces."""
        return replace(self, workspaces=None) == RunFilter()


class Place(NamedTuple):
    """The position of a run in the order of the list."""

    created_at: datetime
    id: str


class Total(NamedTuple):
    """The number of runs; with `is_at_least` there are more."""

    number: int
    is_at_least: bool


async def total(session: AsyncSession, filters: RunFilter) -> Total:
    """Count the matching runs: for a filtered list at most EXACT_TOTAL, which bounds the cost."""
    kept = await counted(session, filters.workspaces)
    if filters.is_unfiltered:
        return Total(kept, is_at_least=False)
    hits = _hits(filters, kept, None, EXACT_TOTAL + 1).order_by(None)
    some = hits.limit(EXACT_TOTAL + 1).subquery()
    number = await session.scalar(select(func.count()).select_from(some)) or 0
    return Total(min(number, EXACT_TOTAL), number > EXACT_TOTAL)


async def page(
    session: AsyncSession,
    filters: RunFilter,
    *,
    limit: int,
    offset: int = 0,
    before: Place | None = None,
) -> list[RunRow]:
    """Return a page of the matching runs, newest first; `before` skips runs up to and including
    that position, and costs the same wherever it is."""
    kept = await counted(session, filters.workspaces)
    hits = _hits(filters, kept, before, limit + offset)
    ids = hits.limit(limit).offset(offset).subquery()
    rows = await session.scalars(
        select(RunRow)
        # Lists don't return these columns, which may contain megabytes.
        .options(defer(RunRow.output, raiseload=True), defer(RunRow.inputs, raiseload=True))
        .join(ids, ids.c.id == RunRow.id)
        .order_by(RunRow.created_at.desc(), RunRow.id.desc())
    )
    return list(rows)


class Point(NamedTuple):
    """A run as a point of a chart."""

    id: str
    created_at: datetime
    latency_ms: int
    status: str
    source: str
    key: str


async def points(session: AsyncSession, filters: RunFilter, *, most: int) -> list[Point]:
    """Return the newest matching runs, newest first."""
    kept = await counted(session, filters.workspaces)
    hits = _hits(filters, kept, None, most).limit(most).subquery()
    rows = await session.execute(
        select(
            RunRow.id,
            RunRow.created_at,
            RunRow.latency_ms,
            RunRow.status,
            RunRow.source,
            RunRow.ref_key,
        )
        .join(hits, hits.c.id == RunRow.id)
        .order_by(RunRow.created_at.desc(), RunRow.id.desc())
    )
    return [Point(*row) for row in rows]


def _hits(filters: RunFilter, kept: int, before: Place | None, most: int) -> Select[Any]:
    """Select id and time of the first `most` matching runs, and perhaps of others, newest first,
    from the index of the most selective filter; `kept` is the number of ended runs in the
    workspaces."""
    if filters.scopes is None:
        return _hits_of(filters, kept, before)
    # Each scope by itself is in order in its index; all of them together are not.
    parts = [
        select(part.c.id, part.c.created_at)
        for scope in filters.scopes
        for part in [_hits_of(filters, kept, before, scope).limit(most).subquery()]
    ]
    together = union_all(*parts).subquery()
    by_time = together.c.created_at
    return select(together.c.id, by_time).order_by(by_time.desc(), together.c.id.desc())


def _hits_of(
    filters: RunFilter, kept: int, before: Place | None, scope: str | None = None
) -> Select[Any]:
    if filters.prompt is not None:
        return _hits_of_prompt(filters, before, scope)
    # The few active runs have one index, by time.
    under_way = filters.is_under_way
    tests: list[ColumnElement[bool]] = []
    for column, value in _equalities(filters, scope):
        driven = not tests and not under_way
        tests.append((column if driven else unindexed(column)) == value)
    by_time: Any = RunRow.created_at
    if filters.workspaces is not None:
        workspace: Any = unindexed(RunRow.workspace_id)
        if not tests and not under_way and len(filters.workspaces) == 1:
            workspace = RunRow.workspace_id
        elif not tests and not under_way and kept <= EXACT_TOTAL:
            # Few runs in several workspaces: sorting them costs less than searching for them.
            workspace, by_time = RunRow.workspace_id, unindexed(RunRow.created_at)
        tests.append(_among(workspace, filters.workspaces))
    tests += _times(filters, before, by_time, RunRow.id)
    return (
        select(RunRow.id, RunRow.created_at)
        .where(filters.kept, *tests)
        .order_by(by_time.desc(), RunRow.id.desc())
    )


def _hits_of_prompt(filters: RunFilter, before: Place | None, scope: str | None) -> Select[Any]:
    """From the index of the prompts that runs used; a run may have used one several times."""
    place = (RunPromptRow.run_id.label("id"), RunPromptRow.created_at)
    tests = [RunPromptRow.key == filters.prompt]
    if filters.prompt_env is not None:
        tests.append(RunPromptRow.env == filters.prompt_env)
    if filters.prompt_version is not None:
        tests.append(RunPromptRow.version == filters.prompt_version)
    if filters.workspaces is not None:
        tests.append(_among(unindexed(RunPromptRow.workspace_id), filters.workspaces))
    tests += _times(filters, before, RunPromptRow.created_at, RunPromptRow.run_id)
    hits = (
        select(*place)
        .distinct()
        .order_by(RunPromptRow.created_at.desc(), RunPromptRow.run_id.desc())
    )
    equalities = _equalities(filters, scope)
    if filters.kept is ENDED and not equalities:
        # From the index alone: filtering out the few active runs costs less than looking each up.
        under_way = select(RunRow.id).where(UNDER_WAY)
        return hits.where(RunPromptRow.run_id.not_in(under_way), *tests)
    tests += [unindexed(column) == value for column, value in equalities]
    return hits.join(RunRow, RunRow.id == RunPromptRow.run_id).where(filters.kept, *tests)


def _equalities(filters: RunFilter, scope: str | None) -> list[tuple[Any, str]]:
    values = filters.values
    equalities = [(column, values.get(name)) for name, column in MOST_SELECTIVE_FIRST.items()]
    equalities.append((RunRow.scope, scope))
    return [(column, value) for column, value in equalities if value is not None]


def _times(
    filters: RunFilter, before: Place | None, by_time: Any, by_id: Any
) -> list[ColumnElement[bool]]:
    tests: list[ColumnElement[bool]] = []
    if filters.since is not None:
        tests.append(by_time >= filters.since)
    if filters.until is not None:
        tests.append(by_time < filters.until)
    if before is not None:
        at = literal(before.created_at, UtcDateTime())
        tests.append(tuple_(by_time, by_id) < tuple_(at, literal(before.id)))
    return tests


def _among(column: Any, workspaces: Sequence[str]) -> ColumnElement[bool]:
    # Not a list for a single workspace: only then does the database know that its index is in
    # order.
    condition: ColumnElement[bool] = (
        column == workspaces[0] if len(workspaces) == 1 else column.in_(workspaces)
    )
    return condition
