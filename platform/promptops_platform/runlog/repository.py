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
# Indexes cover either ended or active runs, so the SQL has to contain their condition literally.
UNDER_WAY = RunRow.status == literal_column(f"'{RUNNING}'")
ENDED = RunRow.status != literal_column(f"'{RUNNING}'")


async def get(session: AsyncSession, run_id: str, *, lock: bool = False) -> RunRow | None:
    """Return a run by id; `lock` keeps it from being deleted until the commit."""
    return await session.get(RunRow, run_id, with_for_update=lock)


async def causes(session: AsyncSession, run_id: str) -> list[str]:
    """Return the triggers that led to a run; some may no longer exist."""
    return await session.scalar(select(RunRow.causes).where(RunRow.id == run_id)) or []


async def is_running(session: AsyncSession, run_id: str) -> bool:
    """Whether a run is in the log and has not ended."""
    query = select(RunRow.id).where(RunRow.id == run_id, RunRow.status == RUNNING)
    return await session.scalar(query) is not None


class LockedRun(NamedTuple):
    """What a step needs of its run: the position of its prompts, and the run's own prompt."""

    workspace_id: str
    created_at: datetime
    prompt_key: str | None
    prompt_env: str | None
    prompt_version: str | None


async def lock_row(session: AsyncSession, run_id: str) -> LockedRun | None:
    """Keep a run from being deleted until the commit; None if it is deleted already."""
    columns = [getattr(RunRow, name) for name in LockedRun._fields]
    query = select(*columns).where(RunRow.id == run_id)
    row = (await session.execute(query.with_for_update(read=True, key_share=True))).first()
    return None if row is None else LockedRun(*row)


async def count(session: AsyncSession, workspace_id: str) -> int:
    """Return the number of runs in a workspace, including active ones."""
    query = select(func.count()).where(RunRow.workspace_id == workspace_id)
    return await session.scalar(query.select_from(RunRow)) or 0


async def clear(session: AsyncSession, workspace_id: str) -> int:
    """Delete the runs of a workspace and, through the foreign key, their steps, then its counts and
    roll-ups; return the number of runs."""
    deleted = await session.execute(
        delete(RunRow)
        .where(RunRow.workspace_id == workspace_id)
        .returning(RunRow.id)
        .execution_options(synchronize_session=False)
    )
    number = len(deleted.all())
    for table in (RunRollupRow, RunVersionRollupRow, RunPromptRollupRow, RunCountRow):
        await session.execute(
            delete(table)
            .where(table.workspace_id == workspace_id)
            .execution_options(synchronize_session=False)
        )
    return number


async def prune(session: AsyncSession, before: datetime, most: int) -> Counter[str]:
    """Delete some of the oldest ended runs that began before a time, skipping those that another
    replica is deleting; return how many, by workspace."""
    oldest = (
        select(RunRow.id)
        .where(ENDED, RunRow.created_at < before)
        .order_by(RunRow.created_at, RunRow.id)
        .limit(most)
        .with_for_update(skip_locked=True)
        # Materialised: PostgreSQL might evaluate a plain subquery again after it has deleted.
        .cte()
    )
    deleted = await session.execute(
        delete(RunRow)
        .where(RunRow.id.in_(select(oldest.c.id)))
        .returning(RunRow.workspace_id)
        .execution_options(synchronize_session=False)
    )
    return Counter(deleted.scalars())


async def steps(session: AsyncSession, run_id: str) -> list[RunStepRow]:
    """Return the finished steps of a run, in order."""
    rows = await session.scalars(
        select(RunStepRow).where(RunStepRow.run_id == run_id).order_by(RunStepRow.position)
    )
    return list(rows)


async def orphans(session: AsyncSession, instance: str) -> list[RunRow]:
    """Return runs with a waiting caller that this platform was executing when it ended."""
    rows = await session.scalars(
        select(RunRow).where(UNDER_WAY, RunRow.instance == instance, RunRow.is_detached.is_(False))
    )
    return list(rows)


async def counted(session: AsyncSession, workspaces: Sequence[str] | None) -> int:
    """Return the number of ended runs in these workspaces; None for all."""
    query = select(func.sum(RunCountRow.total))
    if workspaces is not None:
        query = query.where(RunCountRow.workspace_id.in_(workspaces))
    return int(await session.scalar(query) or 0)


async def run_now(session: AsyncSession, run_id: str, *, lock: bool = False) -> RunRow | None:
    """Return the current state of a run from the database."""
    return await session.get(RunRow, run_id, with_for_update=lock, populate_existing=True)


async def is_executed_by(session: AsyncSession, run_id: str, instance: str) -> bool:
    """Whether a run is active and belongs to that platform; it stays so until the commit."""
    query = select(RunRow.id).where(RunRow.id == run_id, UNDER_WAY, RunRow.instance == instance)
    return await session.scalar(query.with_for_update(read=True)) is not None


async def detached(session: AsyncSession, instance: str) -> list[RunRow]:
    """Return a platform's detached runs that have not ended, the oldest first; of those that wait
    for approvals only the ones that are to be cancelled."""
    is_left = or_(RunRow.state != "waiting", RunRow.cancel_requested_by.is_not(None))
    rows = await session.scalars(
        select(RunRow)
        .where(UNDER_WAY, RunRow.instance == instance, RunRow.is_detached.is_(True), is_left)
        .order_by(RunRow.created_at, RunRow.id)
    )
    return list(rows)


async def positions(session: AsyncSession, run_id: str) -> set[int]:
    """Return the positions of a run's logged steps."""
    query = select(RunStepRow.position).where(RunStepRow.run_id == run_id)
    return set(await session.scalars(query))


async def remove_step(session: AsyncSession, run_id: str, position: int) -> None:
    """Delete a step from the log, with the prompts that it used."""
    for table in (RunStepRow, RunPromptRow):
        await session.execute(
            delete(table)
            .where(table.run_id == run_id, table.position == position)
            .execution_options(synchronize_session=False)
        )


async def instances(session: AsyncSession) -> set[str]:
    """Return the platforms that have active runs."""
    query = select(RunRow.instance).where(UNDER_WAY, RunRow.pool.is_(None))
    return set(await session.scalars(query.distinct()))


async def take_over(session: AsyncSession, dead: str, instance: str) -> list[str]:
    """Assign all active runs of one platform to another, except for those that a third one takes
    over; return their ids."""
    taken = await session.execute(
        update(RunRow)
        .where(UNDER_WAY, RunRow.instance == dead)
        .values(instance=instance)
        .returning(RunRow.id)
        .execution_options(synchronize_session=False)
    )
    return list(taken.scalars())


async def cancel_requests(session: AsyncSession, instance: str) -> list[tuple[str, str]]:
    """Return the runs of a platform that are to be cancelled, and who requested it."""
    rows = await session.execute(
        select(RunRow.id, RunRow.cancel_requested_by).where(
            UNDER_WAY, RunRow.instance == instance, RunRow.cancel_requested_by.is_not(None)
        )
    )
    return [(row[0], row[1]) for row in rows]
