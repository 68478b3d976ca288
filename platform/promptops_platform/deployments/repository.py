"""SQL of deployments, claims and timers."""

from collections.abc import Collection, Iterable

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.deployments.tables import FlowRunClaimRow, PrefectDeploymentRow, TimerRow
from promptops_platform.runlog.tables import RunRow

RUNNING = "running"


async def claimed(session: AsyncSession, flow_run_ids: Collection[str]) -> set[str]:
    """Return those of these flow runs that have a claim."""
    query = select(FlowRunClaimRow.flow_run_id).where(FlowRunClaimRow.flow_run_id.in_(flow_run_ids))
    return set(await session.scalars(query))


async def ended_unstarted(session: AsyncSession, flow_run_id: str) -> str | None:
    """Return the run with the claim if it has ended without a flow run."""
    query = (
        select(RunRow.id)
        .join(FlowRunClaimRow, FlowRunClaimRow.run_id == RunRow.id)
        .where(FlowRunClaimRow.flow_run_id == flow_run_id)
        .where(RunRow.status != RUNNING, RunRow.flow_run_id.is_(None))
    )
    return (await session.scalars(query)).first()


async def add_claim(session: AsyncSession, row: FlowRunClaimRow) -> bool:
    """Add a claim, waiting for concurrent writers; False if there already is one."""
    # The run that it refers to must exist.
    await session.flush()
    try:
        async with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


async def last_claims(
    session: AsyncSession, kind: str, ref: str, most: int
) -> list[FlowRunClaimRow]:
    """Return the last claims of an owner, latest first."""
    rows = await session.scalars(
        select(FlowRunClaimRow)
        .where(FlowRunClaimRow.kind == kind, FlowRunClaimRow.ref == ref)
        .order_by(FlowRunClaimRow.scheduled_at.desc(), FlowRunClaimRow.flow_run_id)
        .limit(most)
    )
    return list(rows)


async def timers(session: AsyncSession) -> list[TimerRow]:
    """Return all pending timers."""
    return list(await session.scalars(select(TimerRow)))


async def find_timer(
    session: AsyncSession, kind: str, ref: str, *, lock: bool = False
) -> TimerRow | None:
    """Return a pending timer."""
    return await session.get(TimerRow, (kind, ref), with_for_update=lock or None)


async def remove_timer(session: AsyncSession, kind: str, ref: str) -> None:
    """Delete a timer, if it exists."""
    await session.execute(delete(TimerRow).where(TimerRow.kind == kind, TimerRow.ref == ref))


async def find_deployments(
    session: AsyncSession, kind: str, refs: Iterable[str]
) -> dict[str, PrefectDeploymentRow]:
    """Return the stored deployments of these, by ref."""
    rows = await session.scalars(
        select(PrefectDeploymentRow).where(
            PrefectDeploymentRow.kind == kind, PrefectDeploymentRow.ref.in_(list(refs))
        )
    )
    return {row.ref: row for row in rows}


async def store_deployments(session: AsyncSession, rows: Iterable[PrefectDeploymentRow]) -> None:
    """Insert or update stored deployments."""
    for row in rows:
        await session.merge(row)


async def forget_deployment(session: AsyncSession, kind: str, ref: str) -> None:
    """Delete a stored deployment, because Prefect no longer has it."""
    await session.execute(
        delete(PrefectDeploymentRow).where(
            PrefectDeploymentRow.kind == kind, PrefectDeploymentRow.ref == ref
        )
    )
