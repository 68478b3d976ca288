"""SQL of the run log."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.run_tables import RunCountRow, RunRollupRow, RunRow, RunStepRow

RUNNING = "running"
# Indexes are over ended or over running runs: what is compared must stand in the SQL itself.
UNDER_WAY = RunRow.status == literal_column(f"'{RUNNING}'")
ENDED = RunRow.status != literal_column(f"'{RUNNING}'")


async def get(session: AsyncSession, run_id: str, *, lock: bool = False) -> RunRow | None:
    """A run by id; `lock` keeps it from being deleted before the commit."""
    return await session.get(RunRow, run_id, with_for_update=lock)


async def is_running(session: AsyncSession, run_id: str) -> bool:
    """Whether a run is in the log and has not ended."""
    query = select(RunRow.id).where(RunRow.id == run_id, RunRow.status == RUNNING)
    return await session.scalar(query) is not None


async def hold(session: AsyncSession, run_id: str) -> bool:
    """Keep a run from being deleted before the commit; False where it is gone already."""
    query = select(RunRow.id).where(RunRow.id == run_id)
    held = await session.scalar(query.with_for_update(read=True, key_share=True))
    return held is not None


async def count(session: AsyncSession, workspace_id: str) -> int:
    """How many runs a workspace has, those under way included."""
    query = select(func.count()).where(RunRow.workspace_id == workspace_id)
    return await session.scalar(query.select_from(RunRow)) or 0


async def clear(session: AsyncSession, workspace_id: str) -> int:
    """Delete the runs of a workspace and, by the foreign key, their steps, and then what was
    counted and summed of it; returns how many runs there were."""
    gone = await session.execute(
        delete(RunRow)
        .where(RunRow.workspace_id == workspace_id)
        .returning(RunRow.id)
        .execution_options(synchronize_session=False)
    )
    number = len(gone.all())
    for table in (RunRollupRow, RunCountRow):
        await session.execute(
            delete(table)
            .where(table.workspace_id == workspace_id)
            .execution_options(synchronize_session=False)
        )
    return number


async def prune(session: AsyncSession, before: datetime, most: int) -> Counter[str]:
    """Delete some of the oldest ended runs that began before a time, leaving out those that
    another replica deletes; returns how many, by workspace."""
    oldest = (
        select(RunRow.id)
        .where(ENDED, RunRow.created_at < before)
        .order_by(RunRow.created_at, RunRow.id)
        .limit(most)
        .with_for_update(skip_locked=True)
        # Read once: as a mere subquery PostgreSQL might read on after it has deleted.
        .cte()
    )
    gone = await session.execute(
        delete(RunRow)
        .where(RunRow.id.in_(select(oldest.c.id)))
        .returning(RunRow.workspace_id)
        .execution_options(synchronize_session=False)
    )
    return Counter(gone.scalars())


async def steps(session: AsyncSession, run_id: str) -> list[RunStepRow]:
    """The finished steps of a run, in their order."""
    rows = await session.scalars(
        select(RunStepRow).where(RunStepRow.run_id == run_id).order_by(RunStepRow.position)
    )
    return list(rows)


async def orphans(session: AsyncSession, instance: str) -> list[RunRow]:
    """Runs that this platform was running when it ended."""
    rows = await session.scalars(select(RunRow).where(UNDER_WAY, RunRow.instance == instance))
    return list(rows)


async def counted(session: AsyncSession, workspaces: Sequence[str] | None) -> int:
    """How many ended runs these workspaces have; None for all."""
    query = select(func.sum(RunCountRow.total))
    if workspaces is not None:
        query = query.where(RunCountRow.workspace_id.in_(workspaces))
    return int(await session.scalar(query) or 0)
