"""SQL of schedules and of their runs."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, func, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.pages import Part, containing_text, ordered, page_of
from promptops_platform.deployments.tables import FlowRunClaimRow
from promptops_platform.runlog.tables import RunRow
from promptops_platform.schedules.tables import KIND, ScheduleRow
from promptops_platform.workspaces.tables import WorkspaceRow

RUNNING = "running"
# The limit for a calendar.
MOST_RUNS = 5_000


class StartedRun(NamedTuple):
    """A run of a schedule; `scheduled_at` is None if a person started it."""

    id: str
    state: str
    created_at: datetime
    scheduled_at: datetime | None


class ScheduleSearch(NamedTuple):
    """Filters of a list of schedules; None matches all."""

    readable: Collection[str] | None
    workspace_id: str | None = None
    target: tuple[str, str] | None = None
    text: str | None = None
    environments: Collection[str] = ()
    paused: bool | None = None


async def find(
    session: AsyncSession, schedule_id: str, *, lock: bool = False
) -> ScheduleRow | None:
    """Return a schedule."""
    return await session.get(
        ScheduleRow, schedule_id, with_for_update=lock or None, populate_existing=lock
    )


async def search(
    session: AsyncSession, asked: ScheduleSearch, part: Part
) -> tuple[list[ScheduleRow], int]:
    """Return schedules, sorted by key by default, and the total."""
    query = select(ScheduleRow)
    if asked.readable is not None:
        query = query.where(ScheduleRow.workspace_id.in_(asked.readable))
    if asked.workspace_id is not None:
        query = query.where(ScheduleRow.workspace_id == asked.workspace_id)
    if asked.target is not None:
        place = tuple_(ScheduleRow.target_kind, ScheduleRow.target_key)
        query = query.where(place == asked.target)
    if asked.environments:
        query = query.where(ScheduleRow.env.in_(asked.environments))
    if asked.paused is not None:
        query = query.where(ScheduleRow.paused.is_(asked.paused))
    query = containing_text(query, asked.text, ScheduleRow.key, ScheduleRow.target_key)
    columns = {"key": ScheduleRow.key, "updated_at": ScheduleRow.updated_at}
    query = ordered(query, part, columns, default="key", unique=ScheduleRow.id)
    rows, total = await page_of(session, query, part)
    return [row for (row,) in rows], total


async def add_unless_taken(session: AsyncSession, row: ScheduleRow) -> bool:
    """Add a schedule; returns False if its key is taken in the workspace."""
    try:
        async with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


async def with_slugs(
    session: AsyncSession, schedule_id: str | None = None
) -> list[tuple[ScheduleRow, str]]:
    """Return all schedules, or this one, with the slugs of their workspaces."""
    query = select(ScheduleRow, WorkspaceRow.slug).join(
        WorkspaceRow, WorkspaceRow.id == ScheduleRow.workspace_id
    )
    if schedule_id is not None:
        query = query.where(ScheduleRow.id == schedule_id)
    return [(row, slug) for row, slug in await session.execute(query)]


async def of_targets(
    session: AsyncSession, places: Collection[tuple[str, str, str]]
) -> list[ScheduleRow]:
    """Return the schedules of definitions, by workspace, kind and key."""
    columns = ScheduleRow.workspace_id, ScheduleRow.target_kind, ScheduleRow.target_key
    rows = await session.scalars(
        select(ScheduleRow).where(tuple_(*columns).in_(list(places))).order_by(ScheduleRow.key)
    )
    return list(rows)


async def of_workspaces(session: AsyncSession, workspace_ids: Collection[str]) -> list[str]:
    """Return the ids of the schedules of these workspaces."""
    rows = await session.scalars(
        select(ScheduleRow.id).where(ScheduleRow.workspace_id.in_(list(workspace_ids)))
    )
    return list(rows)


async def ids(session: AsyncSession, schedule_ids: Collection[str]) -> set[str]:
    """Return those of these ids that exist."""
    rows = await session.scalars(select(ScheduleRow.id).where(ScheduleRow.id.in_(schedule_ids)))
    return set(rows)


async def count(session: AsyncSession, workspace_id: str) -> int:
    """Return how many schedules a workspace has."""
    query = select(func.count()).where(ScheduleRow.workspace_id == workspace_id)
    return await session.scalar(query) or 0


async def clear(session: AsyncSession, workspace_id: str) -> list[tuple[str, str]]:
    """Delete all schedules of a workspace; returns their ids and keys."""
    rows = await session.execute(
        delete(ScheduleRow)
        .where(ScheduleRow.workspace_id == workspace_id)
        .returning(ScheduleRow.id, ScheduleRow.key)
    )
    return [(schedule_id, key) for schedule_id, key in rows]


async def unfinished_runs(session: AsyncSession, schedule_id: str) -> list[str]:
    """Return the ids of a schedule's unfinished runs, oldest first."""
    rows = await session.scalars(
        select(RunRow.id)
        .where(RunRow.origin_id == schedule_id, RunRow.status == RUNNING)
        .order_by(RunRow.created_at)
    )
    return list(rows)


async def has_run_at(session: AsyncSession, schedule_id: str, scheduled_at: datetime) -> bool:
    """Whether a run was started for this time of a schedule."""
    query = select(FlowRunClaimRow.run_id).where(
        FlowRunClaimRow.kind == KIND,
        FlowRunClaimRow.ref == schedule_id,
        FlowRunClaimRow.scheduled_at == scheduled_at,
    )
    return await session.scalar(query.limit(1)) is not None


async def last_runs(session: AsyncSession, schedule_id: str, most: int) -> list[StartedRun]:
    """Return the runs of a schedule, latest first."""
    rows = await session.execute(
        select(RunRow.id, RunRow.state, RunRow.created_at, FlowRunClaimRow.scheduled_at)
        .outerjoin(FlowRunClaimRow, FlowRunClaimRow.run_id == RunRow.id)
        .where(RunRow.origin_id == schedule_id)
        .order_by(RunRow.created_at.desc(), RunRow.id.desc())
        .limit(most)
    )
    return [StartedRun(*row) for row in rows]


async def runs_between(
    session: AsyncSession, schedule_ids: Collection[str], after: datetime, until: datetime
) -> dict[str, list[StartedRun]]:
    """Return by schedule the runs that it started from `after` (inclusive) to `until` (exclusive),
    latest first; in total at most the latest `MOST_RUNS`."""
    rows = await session.execute(
        select(
            RunRow.origin_id,
            RunRow.id,
            RunRow.state,
            RunRow.created_at,
            FlowRunClaimRow.scheduled_at,
        )
        .outerjoin(FlowRunClaimRow, FlowRunClaimRow.run_id == RunRow.id)
        .where(RunRow.origin_id.in_(schedule_ids))
        .where(RunRow.created_at >= after, RunRow.created_at < until)
        .order_by(RunRow.created_at.desc(), RunRow.id.desc())
        .limit(MOST_RUNS)
    )
    runs: defaultdict[str, list[StartedRun]] = defaultdict(list)
    for schedule_id, *run in rows:
        runs[schedule_id].append(StartedRun(*run))
    return runs


async def settle(
    session: AsyncSession, schedule_id: str, settled_at: datetime, problem: str | None
) -> None:
    """Record until when times were decided, and why the last one was not run."""
    values = {} if problem is None else {"problem": problem}
    await session.execute(
        update(ScheduleRow)
        .where(ScheduleRow.id == schedule_id, ScheduleRow.settled_at < settled_at)
        .values(settled_at=settled_at, **values)
    )
