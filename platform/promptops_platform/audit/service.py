"""The audit trail: written in the transaction of the change, read by everyone."""

from collections import Counter
from functools import partial

from promptops_platform.audit import repository, search
from promptops_platform.audit.schemas import AuditFilter
from promptops_platform.clock import Clock
from promptops_platform.db.tables import AuditRow
from promptops_platform.db.unit_of_work import Transaction


class AuditTrail:
    """Records who did what."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def record(
        self,
        transaction: Transaction,
        *,
        actor: str,
        action: str,
        resource: str,
        resource_id: str,
        key: str,
        summary: str,
        workspace_id: str | None = None,
    ) -> None:
        """Add an entry; `key` is the resource's own name, `summary` a short sentence."""
        self._count(transaction, workspace_id)
        repository.add(
            transaction.session,
            AuditRow(
                workspace_id=workspace_id,
                actor=actor,
                action=action,
                resource=resource,
                resource_id=resource_id,
                key=key,
                summary=summary,
                created_at=self._clock.now(),
            ),
        )

    async def page(
        self, transaction: Transaction, wanted: AuditFilter, *, limit: int, offset: int
    ) -> search.Entries:
        """A part of the entries that are wanted, newest first."""
        return await search.page(transaction.session, wanted, limit=limit, offset=offset)

    def _count(self, transaction: Transaction, workspace_id: str | None) -> None:
        """Count an entry with the commit, whose last statements take the workspaces' totals."""
        added: Counter[str | None] | None = transaction.notes.get(self)
        if added is None:
            added = transaction.notes[self] = Counter()
            transaction.before_commit(partial(search.count, transaction.session, added))
        added[workspace_id] += 1
