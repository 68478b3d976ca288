"""SQL of runs in work pools."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.execution.tables import PooledRunRow
from promptops_platform.runlog.tables import RunRow


async def pooled_run(session: AsyncSession, run_id: str) -> PooledRunRow | None:
    """Return the run, locked until the commit."""
    return await session.get(PooledRunRow, run_id, with_for_update=True, populate_existing=True)


async def has_offers(session: AsyncSession, now: datetime) -> bool:
    """Whether a run has to be offered to Prefect now."""
    query = select(PooledRunRow.run_id).where(PooledRunRow.offer_at <= now).limit(1)
    return await session.scalar(query) is not None


async def take_offers(
    session: AsyncSession, now: datetime, again_at: datetime, most: int
) -> Sequence[str]:
    """Return some of the runs to offer to Prefect now, the oldest first, and hide them from other
    replicas until the given time."""
    due = (
        select(PooledRunRow.run_id)
        .where(PooledRunRow.offer_at <= now)
        .order_by(PooledRunRow.offer_at, PooledRunRow.run_id)
        .limit(most)
        .with_for_update(skip_locked=True)
        .cte()
    )
    taken = await session.execute(
        update(PooledRunRow)
        .where(PooledRunRow.run_id.in_(select(due.c.run_id)))
        .values(offer_at=again_at)
        .returning(PooledRunRow.run_id)
        .execution_options(synchronize_session=False)
    )
    return list(taken.scalars())


async def run_of_flow_run(session: AsyncSession, flow_run_id: str) -> RunRow | None:
    """Return the run of this flow run in a pool, locked until the commit."""
    rows = await session.scalars(
        select(RunRow)
        .join(PooledRunRow, PooledRunRow.run_id == RunRow.id)
        .where(RunRow.executed_by(flow_run_id))
        .limit(1)
        .with_for_update(of=RunRow)
    )
    return rows.first()


async def end(session: AsyncSession, run_id: str, now: datetime, *, withdraw: bool) -> None:
    """Remove a run that ends; `withdraw` keeps it until its offer in Prefect has been withdrawn."""
    mine = PooledRunRow.run_id == run_id
    statement = (
        update(PooledRunRow).where(mine).values(offer_at=now)
        if withdraw
        else delete(PooledRunRow).where(mine)
    )
    await session.execute(statement.execution_options(synchronize_session=False))
