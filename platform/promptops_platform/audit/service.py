"""The audit trail: written in the transaction of the change, read by everyone."""

from promptops_platform.audit import repository
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
        self, transaction: Transaction, *, limit: int, offset: int
    ) -> tuple[list[AuditRow], int]:
        """Entries, newest first, and how many there are in all."""
        return await repository.page(transaction.session, limit, offset)
