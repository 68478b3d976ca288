"""SQL of the audit trail: its entries and their counts."""

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.audit.tables import AuditCountRow, AuditRow

NO_WORKSPACE = ""


def add(session: AsyncSession, row: AuditRow) -> None:
    """Append an entry."""
    session.add(row)


async def add_to_counts(session: AsyncSession, added: Mapping[str, int]) -> None:
    """Count new entries by scope; the rows stay locked until the commit.

    Every writer needs them, so all other rows are locked before, and these in a fixed order:
    otherwise two writers could deadlock.
    """
    await session.flush()
    table = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    for scope, number in sorted(added.items()):
        await session.execute(
            table.insert(AuditCountRow)
            .values(scope=scope, total=number)
            .on_conflict_do_update(
                index_elements=[AuditCountRow.scope],
                set_={"total": AuditCountRow.total + number},
            )
        )


async def counted(session: AsyncSession, workspaces: Sequence[str | None] | None) -> int:
    """Return how many entries these workspaces have; None stands for entries without a
    workspace."""
    query = select(func.sum(AuditCountRow.total))
    if workspaces is not None:
        scopes = [workspace or NO_WORKSPACE for workspace in workspaces]
        query = query.where(AuditCountRow.scope.in_(scopes))
    return int(await session.scalar(query) or 0)
