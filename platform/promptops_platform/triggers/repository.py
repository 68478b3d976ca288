"""SQL of triggers and firings."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.pages import WHOLE, Part, containing_text, ordered, page_of
from promptops_platform.triggers.tables import FiringRow, TriggerRow

SORTED_BY = {
    "key": TriggerRow.key,
    "created_at": TriggerRow.created_at,
}
FIRINGS_SORTED_BY = {"created_at": FiringRow.created_at}


async def all_triggers(session: AsyncSession) -> list[TriggerRow]:
    """Return the triggers of all workspaces."""
    return list(await session.scalars(select(TriggerRow).order_by(TriggerRow.id)))


async def get(session: AsyncSession, trigger_id: str, *, lock: bool = False) -> TriggerRow | None:
    """Return a trigger by id; `lock` blocks other writers of the row until the commit."""
    return await session.get(TriggerRow, trigger_id, with_for_update=lock)


async def search(
    session: AsyncSession,
    readable: Collection[str] | None,
    workspace_id: str | None,
    text: str | None,
    part: Part = WHOLE,
) -> tuple[list[TriggerRow], int]:
    """Return triggers of these workspaces (None for all) with `text` in their key, and the total;
    sorted by key by default."""
    query = select(TriggerRow)
    if readable is not None:
        query = query.where(TriggerRow.workspace_id.in_(readable))
    if workspace_id is not None:
        query = query.where(TriggerRow.workspace_id == workspace_id)
    query = containing_text(query, text, TriggerRow.key)
    query = ordered(query, part, SORTED_BY, default="key", unique=TriggerRow.id)
    rows, total = await page_of(session, query, part)
    return [row for (row,) in rows], total


async def count(session: AsyncSession, workspace_id: str) -> int:
    """Return how many triggers a workspace has."""
    query = select(func.count()).where(TriggerRow.workspace_id == workspace_id)
    return await session.scalar(query.select_from(TriggerRow)) or 0


async def clear(session: AsyncSession, workspace_id: str) -> list[str]:
    """Delete the triggers of a workspace with their firings; returns their ids."""
    deleted = await session.scalars(
        delete(TriggerRow)
        .where(TriggerRow.workspace_id == workspace_id)
        .returning(TriggerRow.id)
        .execution_options(synchronize_session=False)
    )
    return list(deleted.all())


async def remove(session: AsyncSession, trigger_id: str) -> None:
    """Delete a trigger with its firings."""
    await session.execute(delete(TriggerRow).where(TriggerRow.id == trigger_id))


async def sealed(session: AsyncSession) -> list[TriggerRow]:
    """Return the triggers that have a secret, locked until the commit."""
    query = select(TriggerRow).where(TriggerRow.sealed_secret.is_not(None))
    return list(await session.scalars(query.order_by(TriggerRow.id).with_for_update()))


async def any_secret(session: AsyncSession) -> bool:
    """Whether any trigger has a secret."""
    query = select(TriggerRow.id).where(TriggerRow.sealed_secret.is_not(None)).limit(1)
    return await session.scalar(query) is not None


async def lock_active(session: AsyncSession, trigger_ids: Collection[str]) -> set[str]:
    """Return those of these triggers that exist and are active, protected from deletion until the
    commit."""
    query = select(TriggerRow.id).where(
        TriggerRow.id.in_(trigger_ids),
        TriggerRow.enabled,
        TriggerRow.stopped_because.is_(None),
    )
    return set(await session.scalars(query.with_for_update(read=True, key_share=True)))


async def add_firings(session: AsyncSession, firings: Sequence[dict[str, Any]]) -> set[str]:
    """Write firings, except for events that have already fired the trigger; returns the ids of
    those that were written."""
    table = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = table.insert(FiringRow).on_conflict_do_nothing().returning(FiringRow.id)
    return set((await session.execute(statement, list(firings))).scalars())


async def last_fired(session: AsyncSession, trigger_ids: Collection[str]) -> dict[str, datetime]:
    """Return when each of these triggers was last fired; triggers that were never fired are left
    out."""
    query = (
        select(FiringRow.trigger_id, func.max(FiringRow.created_at))
        .where(FiringRow.trigger_id.in_(trigger_ids))
        .group_by(FiringRow.trigger_id)
    )
    return {row[0]: row[1] for row in await session.execute(query)}


async def find_firing(session: AsyncSession, trigger_id: str, event_id: str) -> FiringRow | None:
    """Return the firing of a trigger by an event."""
    query = select(FiringRow).where(
        FiringRow.trigger_id == trigger_id, FiringRow.event_id == event_id
    )
    return (await session.scalars(query)).first()


async def get_firing(
    session: AsyncSession, firing_id: str, *, lock: bool = False
) -> FiringRow | None:
    """Return a firing by id."""
    return await session.get(FiringRow, firing_id, with_for_update=lock)


async def firings(
    session: AsyncSession, trigger_id: str, state: str | None, part: Part
) -> tuple[list[FiringRow], int]:
    """Return the firings of a trigger, newest first by default, and the total."""
    query = select(FiringRow).where(FiringRow.trigger_id == trigger_id)
    if state is not None:
        query = query.where(FiringRow.state == state)
    query = ordered(query, part, FIRINGS_SORTED_BY, default="-created_at", unique=FiringRow.id)
    rows, total = await page_of(session, query, part)
    return [row for (row,) in rows], total


async def unsent(
    session: AsyncSession, now: datetime, pauses: Sequence[timedelta], *, limit: int
) -> list[tuple[FiringRow, TriggerRow]]:
    """Return waiting firings that Prefect has to be notified of: first those that were never sent.
    The n-th notification is repeated after `pauses[n - 1]`, later ones after the last pause."""
    last = len(pauses)
    repeated = (
        and_(
            FiringRow.tellings >= last if number == last else FiringRow.tellings == number,
            FiringRow.told_at < now - pause,
        )
        for number, pause in enumerate(pauses, 1)
    )
    query = (
        select(FiringRow, TriggerRow)
        .join(TriggerRow, TriggerRow.id == FiringRow.trigger_id)
        .where(
            FiringRow.state == "waiting",
            or_(FiringRow.told_at.is_(None), *repeated),
        )
        .order_by(FiringRow.tellings, FiringRow.created_at)
        .limit(limit)
    )
    return [(firing, trigger) for firing, trigger in (await session.execute(query)).all()]


async def mark_sent(session: AsyncSession, firing_ids: Collection[str], at: datetime) -> None:
    """Record that Prefect was notified of these firings."""
    await session.execute(
        update(FiringRow)
        .where(FiringRow.id.in_(firing_ids))
        .values(told_at=at, tellings=FiringRow.tellings + 1)
        .execution_options(synchronize_session=False)
    )


async def claim(session: AsyncSession, firing_id: str, **values: Any) -> bool:
    """Mark a waiting firing as started; False if it already was."""
    claimed = await session.execute(
        update(FiringRow)
        .where(FiringRow.id == firing_id, FiringRow.state == "waiting")
        .values(**values)
        .returning(FiringRow.id)
        .execution_options(synchronize_session=False)
    )
    return claimed.first() is not None


async def end_with_run(
    session: AsyncSession, run_id: str, retried: str | None, **values: Any
) -> None:
    """End the firing that has started the run, or that started the failed run which was
    `retried`."""
    started = and_(FiringRow.run_id == run_id, FiringRow.state == "started")
    failed = and_(FiringRow.run_id == retried, FiringRow.state == "failed")
    await session.execute(
        update(FiringRow)
        .where(started if retried is None else or_(started, failed))
        .values(run_id=run_id, **values)
        .execution_options(synchronize_session=False)
    )


async def end_waiting(session: AsyncSession, trigger_id: str, **values: Any) -> None:
    """End all waiting firings of a trigger."""
    await session.execute(
        update(FiringRow)
        .where(FiringRow.trigger_id == trigger_id, FiringRow.state == "waiting")
        .values(**values)
        .execution_options(synchronize_session=False)
    )


async def prune(session: AsyncSession, before: datetime, limit: int) -> int:
    """Delete some older firings that do not wait; returns how many."""
    old = (
        select(FiringRow.id)
        .where(FiringRow.created_at < before, FiringRow.state != "waiting")
        .limit(limit)
    )
    deleted = await session.execute(
        delete(FiringRow)
        .where(FiringRow.id.in_(old))
        .returning(FiringRow.id)
        .execution_options(synchronize_session=False)
    )
    return len(deleted.all())
