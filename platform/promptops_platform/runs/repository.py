"""SQL of the run log."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, case, delete, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from promptops_platform.db.tables import RunRow, RunStepRow
from promptops_platform.runs.schemas import ProviderCount, RunStats

RUNNING = "running"


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
    """Delete the runs of a workspace and, by the foreign key, their steps; returns how many."""
    gone = await session.execute(
        delete(RunRow)
        .where(RunRow.workspace_id == workspace_id)
        .returning(RunRow.id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


async def steps(session: AsyncSession, run_id: str) -> list[RunStepRow]:
    """The finished steps of a run, in their order."""
    rows = await session.scalars(
        select(RunStepRow).where(RunStepRow.run_id == run_id).order_by(RunStepRow.position)
    )
    return list(rows)


async def page(
    session: AsyncSession,
    readable: Collection[str] | None,
    status: str | None,
    limit: int,
    offset: int,
) -> tuple[list[RunRow], int]:
    """Runs, newest first, and how many there are; without a status, the ended ones."""
    wanted = (RunRow.status == status if status else RunRow.status != RUNNING) & _in(readable)
    rows = await session.scalars(
        select(RunRow)
        # A list does not answer it, and it may be megabytes.
        .options(defer(RunRow.output, raiseload=True))
        .where(wanted)
        .order_by(RunRow.created_at.desc(), RunRow.id.desc())
        .limit(limit)
        .offset(offset)
    )
    total = await session.scalar(select(func.count()).select_from(RunRow).where(wanted))
    return list(rows), total or 0


async def orphans(session: AsyncSession, instance: str) -> list[RunRow]:
    """Runs that this platform was running when it ended."""
    rows = await session.scalars(
        select(RunRow).where(RunRow.status == RUNNING, RunRow.instance == instance)
    )
    return list(rows)


async def stats(session: AsyncSession, readable: Collection[str] | None) -> RunStats:
    """Totals over the ended runs of these workspaces, None for all."""
    ended = (RunRow.status != RUNNING) & _in(readable)
    row = await session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(case((RunRow.status == "ok", 1), else_=0)), 0),
            func.coalesce(func.sum(RunRow.prompt_tokens), 0),
            func.coalesce(func.sum(RunRow.output_tokens), 0),
            func.coalesce(func.avg(RunRow.latency_ms), 0),
        ).where(ended)
    )
    total, ok, prompt_tokens, output_tokens, latency = row.one()
    return RunStats(
        total=total,
        ok=ok,
        error=total - ok,
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
        avg_latency_ms=round(float(latency), 1),
        by_provider=await _by_provider(session, ended),
    )


def _in(readable: Collection[str] | None) -> ColumnElement[bool]:
    return true() if readable is None else RunRow.workspace_id.in_(readable)


async def _by_provider(session: AsyncSession, ended: ColumnElement[bool]) -> list[ProviderCount]:
    count = func.count().label("count")
    rows = await session.execute(
        select(RunRow.provider, count)
        .where(ended, RunRow.provider != "")
        .group_by(RunRow.provider)
        .order_by(count.desc(), RunRow.provider)
    )
    return [ProviderCount(provider=provider, count=number) for provider, number in rows]
