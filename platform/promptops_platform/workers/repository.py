"""SQL of workers and their runs."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.runlog.tables import RunRow
from promptops_platform.runlog.under_way import UNCLAIMED
from promptops_platform.workers.tables import WorkerRow

RUNNING = "running"
QUEUED = "queued"


async def worker(session: AsyncSession, worker_id: str) -> WorkerRow | None:
    return await session.get(WorkerRow, worker_id, with_for_update=True, populate_existing=True)


async def workers(session: AsyncSession) -> Sequence[WorkerRow]:
    """Return all workers that were seen recently, by pool and name."""
    query = select(WorkerRow).order_by(WorkerRow.pool, WorkerRow.name, WorkerRow.id)
    return list(await session.scalars(query))


async def runs(session: AsyncSession, run_ids: Collection[str]) -> dict[str, RunRow]:
    """Return those of these runs that are in the log, by id."""
    rows = await session.scalars(select(RunRow).where(RunRow.id.in_(run_ids)))
    return {row.id: row for row in rows}


async def lost(session: AsyncSession, before: datetime) -> Sequence[str]:
    """Return workers that have runs and were not seen since."""
    query = (
        select(WorkerRow.id)
        .join(RunRow, RunRow.instance == WorkerRow.id)
        .where(WorkerRow.seen_at < before, RunRow.status == RUNNING, RunRow.pool.is_not(None))
        .distinct()
    )
    return list(await session.scalars(query))


async def waiting_by_pool(session: AsyncSession) -> dict[str, int]:
    """Return how many runs wait for a worker, by pool."""
    rows = await session.execute(
        select(RunRow.pool, func.count())
        .where(RunRow.status == RUNNING, RunRow.state == QUEUED, RunRow.instance == UNCLAIMED)
        .where(RunRow.pool.is_not(None))
        .group_by(RunRow.pool)
        .order_by(RunRow.pool)
    )
    return {pool: count for pool, count in rows if pool is not None}


async def runs_of(session: AsyncSession, worker_id: str) -> Sequence[RunRow]:
    """Return the runs of a worker, locked; runs that another replica has locked are left out."""
    rows = await session.scalars(
        select(RunRow)
        .where(RunRow.status == RUNNING, RunRow.instance == worker_id)
        .order_by(RunRow.created_at, RunRow.id)
        .with_for_update(skip_locked=True)
    )
    return list(rows)


async def forget(session: AsyncSession, before: datetime) -> None:
    """Delete workers that have no runs and were not seen since."""
    with_runs = select(RunRow.instance).where(RunRow.status == RUNNING, RunRow.pool.is_not(None))
    await session.execute(
        delete(WorkerRow)
        .where(WorkerRow.seen_at < before, WorkerRow.id.not_in(with_runs))
        .execution_options(synchronize_session=False)
    )
