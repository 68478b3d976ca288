"""SQL of the change feed."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Float, cast, delete, func, insert, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.changes.schemas import Change, NumberedChange
from promptops_platform.changes.tables import ChangeRow, FeedState, ReplicaRow

NOTIFY_CHANNEL = "promptops_changes"
REPLICA_CHANNEL = "promptops_replicas"
SIGNAL_CHANNEL = "promptops_signals"


async def ensure_state(session: AsyncSession, epoch: str) -> None:
    """Make the counter row of a new database."""
    if await session.get(FeedState, 1) is None:
        session.add(FeedState(id=1, revision=0, epoch=epoch))


async def current(session: AsyncSession) -> tuple[int, str]:
    """Revision and epoch as this transaction sees them."""
    row = await session.execute(select(FeedState.revision, FeedState.epoch))
    revision, epoch = row.one()
    return revision, epoch


async def renew_epoch(session: AsyncSession, current: str, new: str) -> None:
    """Replace the epoch, unless that was done already."""
    await session.execute(update(FeedState).where(FeedState.epoch == current).values(epoch=new))
    await notify(session)


async def notify(session: AsyncSession) -> None:
    """Make every replica read the feed after the commit; on SQLite they poll it."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text(f"NOTIFY {NOTIFY_CHANNEL}"))


async def append(session: AsyncSession, changes: Sequence[Change], now: datetime) -> int:
    """Number and write `changes`; returns the last revision.

    The counter row stays locked until the commit, so revisions become visible in their order.
    """
    reserved = await session.execute(
        update(FeedState)
        .where(FeedState.id == 1)
        .values(revision=FeedState.revision + len(changes))
        .returning(FeedState.revision)
    )
    last: int = reserved.scalar_one()
    first = last - len(changes) + 1
    rows = [
        {
            "revision": first + index,
            "type": str(change.type),
            "workspace_id": change.workspace_id,
            "resource_id": change.resource_id,
            "key": change.key,
            "env": change.env,
            "version": change.version,
            "created_at": now,
        }
        for index, change in enumerate(changes)
    ]
    await session.execute(insert(ChangeRow), rows)
    await notify(session)
    return last


async def after(session: AsyncSession, revision: int, limit: int) -> list[NumberedChange]:
    """Changes that follow `revision`, in order."""
    rows = await session.execute(
        select(ChangeRow)
        .where(ChangeRow.revision > revision)
        .order_by(ChangeRow.revision)
        .limit(limit)
    )
    return [_numbered(row) for row in rows.scalars()]


async def prune(session: AsyncSession, before: datetime) -> int:
    """Delete changes made before a time; returns how many.

    Only a prefix of the feed is deleted: the rest has no gaps, even if a clock was set back.
    """
    newest_old = await session.scalar(
        select(func.max(ChangeRow.revision)).where(ChangeRow.created_at < before)
    )
    if newest_old is None:
        return 0
    removed = await session.scalar(
        select(func.count()).where(ChangeRow.revision <= newest_old).select_from(ChangeRow)
    )
    await session.execute(delete(ChangeRow).where(ChangeRow.revision <= newest_old))
    return removed or 0


def _numbered(row: ChangeRow) -> NumberedChange:
    change = Change(
        type=row.type,
        workspace_id=row.workspace_id,
        resource_id=row.resource_id,
        key=row.key,
        env=row.env,
        version=row.version,
    )
    return NumberedChange(row.revision, change)


async def register(
    session: AsyncSession, replica: str, epoch: str, revision: int, instance: str
) -> None:
    """Record that a replica is alive, and its revision; the commit notifies the others."""
    row = {
        "id": replica,
        "epoch": epoch,
        "revision": revision,
        "seen_at": func.now(),
        "instance": instance,
    }
    statement = postgresql.insert(ReplicaRow).values(row)
    await session.execute(statement.on_conflict_do_update(index_elements=[ReplicaRow.id], set_=row))
    await session.execute(
        select(func.pg_notify(REPLICA_CHANNEL, replica_report(replica, epoch, revision)))
    )


async def replicas(session: AsyncSession) -> list[tuple[str, str, int, float]]:
    """Id, epoch and revision of each replica, and the seconds since it was seen last."""
    age = func.extract("epoch", func.now() - ReplicaRow.seen_at)
    rows = await session.execute(
        select(ReplicaRow.id, ReplicaRow.epoch, ReplicaRow.revision, cast(age, Float))
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


async def living_instances(session: AsyncSession, within: timedelta) -> set[str]:
    """The platforms of the replicas that were seen within that time."""
    query = select(ReplicaRow.instance).where(ReplicaRow.seen_at >= func.now() - within)
    return set(await session.scalars(query))


async def unregister(session: AsyncSession, replica: str) -> None:
    """Delete a replica that stops, with its reports; the commit notifies the others."""
    await session.execute(delete(ReplicaRow).where(ReplicaRow.id == replica))
    await session.execute(select(func.pg_notify(REPLICA_CHANNEL, replica)))


async def remove_gone(session: AsyncSession, after: timedelta) -> None:
    """Delete the replicas that were last seen longer ago than `after`, with their reports."""
    await session.execute(delete(ReplicaRow).where(ReplicaRow.seen_at < func.now() - after))


def replica_report(replica: str, epoch: str, revision: int) -> str:
    """The payload of a notification; a replica that stops sends its id alone."""
    return f"{replica} {epoch} {revision}"
