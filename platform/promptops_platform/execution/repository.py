"""SQL of plans, checkpoints and suspended flow runs."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from promptops_platform.execution.tables import RunCheckpointRow, RunPlanRow, SuspendedFlowRunRow
from promptops_platform.runlog.tables import RunRow

RUNNING = "running"
BATCH = 200


async def plan(session: AsyncSession, run_id: str, *, lock: bool = False) -> RunPlanRow | None:
    """Return the plan of a run."""
    return await session.get(RunPlanRow, run_id, with_for_update=lock, populate_existing=lock)


async def checkpoints(session: AsyncSession, run_id: str) -> list[RunCheckpointRow]:
    """Return the checkpoints of a run, in the order of its steps."""
    rows = await session.scalars(
        select(RunCheckpointRow)
        .where(RunCheckpointRow.run_id == run_id)
        .order_by(RunCheckpointRow.position)
    )
    return list(rows)


async def add_checkpoints(session: AsyncSession, rows: Sequence[RunCheckpointRow]) -> None:
    """Store these checkpoints of one run, unless it was deleted with its workspace; they replace
    those of an earlier attempt at the same steps."""
    if not rows:
        return
    run = select(RunRow.id).where(RunRow.id == rows[0].run_id)
    if await session.scalar(run.with_for_update(read=True, key_share=True)) is None:
        return
    for row in rows:
        await session.merge(row)


async def forget(session: AsyncSession, run_ids: Collection[str]) -> None:
    """Delete the plans and checkpoints of runs."""
    for table in (RunCheckpointRow, RunPlanRow):
        await session.execute(
            delete(table)
            .where(table.run_id.in_(run_ids))
            .execution_options(synchronize_session=False)
        )


async def forget_checkpoints(session: AsyncSession, run_id: str) -> None:
    """Delete the checkpoints of a run."""
    await session.execute(
        delete(RunCheckpointRow)
        .where(RunCheckpointRow.run_id == run_id)
        .execution_options(synchronize_session=False)
    )


async def ended_with_plan(session: AsyncSession, before: datetime | None, most: int) -> list[str]:
    """Return runs that have ended (before a time, if given) and whose plans still exist."""
    query = (
        select(RunPlanRow.run_id)
        .join(RunRow, RunRow.id == RunPlanRow.run_id)
        .where(RunRow.status != RUNNING)
        .order_by(RunPlanRow.run_id)
        .limit(most)
    )
    if before is not None:
        query = query.where(RunRow.finished_at < before)
    return list(await session.scalars(query))


async def run_of_flow_run(session: AsyncSession, flow_run_id: str) -> tuple[str, bool] | None:
    """Return the run that this flow run executed last, if it has a plan, and whether it or its
    retry is active."""
    retry = aliased(RunRow)
    query = (
        select(RunPlanRow.run_id, RunRow.status, retry.status)
        .join(RunRow, RunRow.id == RunPlanRow.run_id)
        .outerjoin(retry, retry.id == RunPlanRow.retried_by)
        .where(RunRow.executed_by(flow_run_id))
        .order_by(RunRow.created_at.desc())
        .limit(1)
    )
    row = (await session.execute(query)).first()
    return None if row is None else (row[0], RUNNING in row[1:])


async def all_plans(session: AsyncSession) -> AsyncIterator[RunPlanRow]:
    """Yield every sealed plan, locked."""
    query = select(RunPlanRow).where(RunPlanRow.sealed.is_not(None)).with_for_update()
    for row in await session.scalars(query):
        yield row


async def all_checkpoints(session: AsyncSession) -> AsyncIterator[RunCheckpointRow]:
    """Yield every sealed checkpoint, locked; read in parts, as they may be large."""
    place = ("", 0)
    while True:
        key = (RunCheckpointRow.run_id, RunCheckpointRow.position)
        rows = await session.scalars(
            select(RunCheckpointRow)
            .where(
                (key[0] > place[0]) | ((key[0] == place[0]) & (key[1] > place[1])),
            )
            .order_by(*key)
            .limit(BATCH)
            .with_for_update()
        )
        part = list(rows)
        for row in part:
            yield row
        if len(part) < BATCH:
            return
        place = (part[-1].run_id, part[-1].position)


async def suspended_in(session: AsyncSession, workspace_id: str) -> list[str]:
    """Return the suspended flow runs of a workspace."""
    rows = await session.scalars(
        select(RunPlanRow.flow_run_id)
        .join(RunRow, RunRow.id == RunPlanRow.run_id)
        .where(RunRow.workspace_id == workspace_id, RunPlanRow.flow_run_id.is_not(None))
    )
    return [flow_run_id for flow_run_id in rows if flow_run_id is not None]


async def run_of_suspended(session: AsyncSession, flow_run_id: str) -> str | None:
    """Return the run of a suspended flow run."""
    query = select(RunPlanRow.run_id).where(RunPlanRow.flow_run_id == flow_run_id).limit(1)
    run_id: str | None = await session.scalar(query)
    return run_id


async def suspended_flow_runs(session: AsyncSession) -> list[SuspendedFlowRunRow]:
    """Return some of the flow runs that Prefect still shows as suspended although their runs have
    ended."""
    query = select(SuspendedFlowRunRow).order_by(SuspendedFlowRunRow.flow_run_id).limit(BATCH)
    return list(await session.scalars(query))


async def remember_suspended(session: AsyncSession, flow_run_id: str, message: str) -> None:
    """Record that Prefect has to show the end of this flow run; of two concurrent ends the first
    counts."""
    table = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    await session.execute(
        table.insert(SuspendedFlowRunRow)
        .values(flow_run_id=flow_run_id, message=message)
        .on_conflict_do_nothing()
    )


async def forget_suspended(session: AsyncSession, flow_run_id: str) -> None:
    """Prefect shows the end of this flow run."""
    await session.execute(
        delete(SuspendedFlowRunRow).where(SuspendedFlowRunRow.flow_run_id == flow_run_id)
    )
