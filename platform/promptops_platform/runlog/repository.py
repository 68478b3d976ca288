"""SQL of the run log."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, func, literal_column, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.runlog.tables import (
    RunCountRow,
    RunPromptRollupRow,
    RunPromptRow,
    RunRollupRow,
    RunRow,
    RunStepRow,
    RunVersionRollupRow,
)

RUNNING = "running"
# Indexes are over ended or over running runs: what is compared must stand in the SQL itself.
UNDER_WAY = RunRow.status == literal_column(f"'{RUNNING}'")
ENDED = RunRow.status != literal_column(f"'{RUNNING}'")


async def get(session: AsyncSession, run_id: str, *, lock: bool = False) -> RunRow | None:
    """A run by id; `lock` keeps it from being deleted before the commit."""
    return await session.get(RunRow, run_id, with_for_update=lock)


async def causes(session: AsyncSession, run_id: str) -> list[str]:
    """The triggers that led to a run, which may be gone."""
    return await session.scalar(select(RunRow.causes).where(RunRow.id == run_id)) or []


async def is_running(session: AsyncSession, run_id: str) -> bool:
    """Whether a run is in the log and has not ended."""
    query = select(RunRow.id).where(RunRow.id == run_id, RunRow.status == RUNNING)
    return await session.scalar(query) is not None


class LockedRun(NamedTuple):
    """What a step needs of its run: the place of its prompts, and the run's own one."""

    workspace_id: str
    created_at: datetime
    prompt_key: str | None
    prompt_env: str | None
    prompt_version: str | None


async def lock_row(session: AsyncSession, run_id: str) -> LockedRun | None:
    """Keep a run from being deleted before the commit; None where it is gone already."""
    columns = [getattr(RunRow, name) for name in LockedRun._fields]
    query = select(*columns).where(RunRow.id == run_id)
    row = (await session.execute(query.with_for_update(read=True, key_share=True))).first()
    return None if row is None else LockedRun(*row)


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
    for table in (RunRollupRow, RunVersionRollupRow, RunPromptRollupRow, RunCountRow):
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
    """Runs that this platform was running when it ended, and that somebody waited for."""
    rows = await session.scalars(
        select(RunRow).where(UNDER_WAY, RunRow.instance == instance, RunRow.is_detached.is_(False))
    )
    return list(rows)


async def counted(session: AsyncSession, workspaces: Sequence[str] | None) -> int:
    """How many ended runs these workspaces have; None for all."""
    query = select(func.sum(RunCountRow.total))
    if workspaces is not None:
        query = query.where(RunCountRow.workspace_id.in_(workspaces))
    return int(await session.scalar(query) or 0)


async def run_now(session: AsyncSession, run_id: str, *, lock: bool = False) -> RunRow | None:
    """A run, as the database has it now."""
    return await session.get(RunRow, run_id, with_for_update=lock, populate_existing=True)


async def is_executed_by(session: AsyncSession, run_id: str, instance: str) -> bool:
    """Whether a run is under way and that platform's, which it stays until the commit."""
    query = select(RunRow.id).where(RunRow.id == run_id, UNDER_WAY, RunRow.instance == instance)
    return await session.scalar(query.with_for_update(read=True)) is not None


async def detached(session: AsyncSession, instance: str) -> list[RunRow]:
    """Runs of a platform that nobody waits for and that have not ended, the oldest first; of those
    that wait for people the ones that are to be cancelled."""
    is_left = or_(RunRow.state != "waiting", RunRow.cancel_requested_by.is_not(None))
    rows = await session.scalars(
        select(RunRow)
        .where(UNDER_WAY, RunRow.instance == instance, RunRow.is_detached.is_(True), is_left)
        .order_by(RunRow.created_at, RunRow.id)
    )
    return list(rows)


async def positions(session: AsyncSession, run_id: str) -> set[int]:
    """Places of the steps that the log has of a run."""
    query = select(RunStepRow.position).where(RunStepRow.run_id == run_id)
    return set(await session.scalars(query))


async def remove_step(session: AsyncSession, run_id: str, position: int) -> None:
    """Take a step out of the log, with the prompts that it used."""
    for table in (RunStepRow, RunPromptRow):
        await session.execute(
            delete(table)
            .where(table.run_id == run_id, table.position == position)
            .execution_options(synchronize_session=False)
        )


async def instances(session: AsyncSession) -> set[str]:
    """The platforms that have runs under way."""
    query = select(RunRow.instance).where(UNDER_WAY, RunRow.pool.is_(None))
    return set(await session.scalars(query.distinct()))


async def take_over(session: AsyncSession, dead: str, instance: str) -> list[str]:
    """Make all runs under way of one platform another's, but for those that somebody else takes
    over; returns their ids."""
    taken = await session.execute(
        update(RunRow)
        .where(UNDER_WAY, RunRow.instance == dead)
        .values(instance=instance)
        .returning(RunRow.id)
        .execution_options(synchronize_session=False)
    )
    return list(taken.scalars())


async def cancel_requests(session: AsyncSession, instance: str) -> list[tuple[str, str]]:
    """Runs of a platform that are to be cancelled, and who wants it."""
    rows = await session.execute(
        select(RunRow.id, RunRow.cancel_requested_by).where(
            UNDER_WAY, RunRow.instance == instance, RunRow.cancel_requested_by.is_not(None)
        )
    )
    return [(row[0], row[1]) for row in rows]
