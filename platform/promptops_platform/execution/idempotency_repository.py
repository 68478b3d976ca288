"""SQL of idempotency keys."""

from collections.abc import AsyncIterator
from datetime import datetime

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.execution.tables import IdempotencyKeyRow
from promptops_platform.runlog.tables import RunRow

RUNNING = "running"


async def find(
    session: AsyncSession, caller_id: str, key_hash: str, *, since: datetime
) -> tuple[IdempotencyKeyRow, bool, str] | None:
    """Return a key, whether its run has not ended, and the run's workspace."""
    rows = await session.execute(
        select(IdempotencyKeyRow, RunRow.status, RunRow.workspace_id)
        .join(RunRow, RunRow.id == IdempotencyKeyRow.run_id)
        .where(
            IdempotencyKeyRow.caller_id == caller_id,
            IdempotencyKeyRow.key_hash == key_hash,
            IdempotencyKeyRow.created_at >= since,
        )
    )
    entry = rows.first()
    return None if entry is None else (entry[0], entry[1] == RUNNING, entry[2])


async def add_unless_taken(
    session: AsyncSession, row: IdempotencyKeyRow, *, before: datetime
) -> bool:
    """Add a key if there is none since `before`, waiting for concurrent inserts; return whether it
    was added."""
    await session.execute(
        delete(IdempotencyKeyRow).where(
            IdempotencyKeyRow.caller_id == row.caller_id,
            IdempotencyKeyRow.key_hash == row.key_hash,
            IdempotencyKeyRow.created_at < before,
        )
    )
    try:
        async with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


async def keep(session: AsyncSession, run_id: str, status: int, sealed: str | None) -> None:
    """Store the response to the request that started the run."""
    await session.execute(
        update(IdempotencyKeyRow)
        .where(IdempotencyKeyRow.run_id == run_id)
        .values(status=status, sealed=sealed)
    )


async def prune(session: AsyncSession, before: datetime, most: int) -> int:
    """Delete some of the keys that were added before a time, skipping those that another replica is
    deleting; return how many."""
    oldest = (
        select(IdempotencyKeyRow.caller_id, IdempotencyKeyRow.key_hash)
        .where(IdempotencyKeyRow.created_at < before)
        .order_by(IdempotencyKeyRow.created_at)
        .limit(most)
        .with_for_update(skip_locked=True)
        .cte()
    )
    deleted = await session.execute(
        delete(IdempotencyKeyRow)
        .where(
            tuple_(IdempotencyKeyRow.caller_id, IdempotencyKeyRow.key_hash).in_(
                select(oldest.c.caller_id, oldest.c.key_hash)
            )
        )
        .returning(IdempotencyKeyRow.run_id)
        .execution_options(synchronize_session=False)
    )
    return len(deleted.all())


async def sealed_answers(session: AsyncSession) -> AsyncIterator[IdempotencyKeyRow]:
    """Yield every sealed response, locked."""
    query = select(IdempotencyKeyRow).where(IdempotencyKeyRow.sealed.is_not(None))
    for row in await session.scalars(query.with_for_update()):
        yield row
