"""The audit trail: written in the transaction of the change, read by everyone."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.audit import repository
from promptops_platform.clock import Clock
from promptops_platform.db.tables import AuditRow
from promptops_platform.db.unit_of_work import Transaction

LONGEST_VALUE = 4000


class AuditTrail:
    """Records who did what."""

    def __init__(self, clock: Clock, grants: Grants) -> None:
        self._clock = clock
        self._grants = grants

    def record(
        self,
        transaction: Transaction,
        *,
        actor: Actor,
        action: str,
        resource: str,
        resource_id: str,
        key: str,
        summary: str,
        workspace_id: str | None = None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an entry; `key` is the resource's own name, `summary` a short sentence.

        Of `before` and `after`, JSON objects, the fields that differ are kept, or all where there
        is only one of them; long texts are cut. They hold no secrets.
        """
        kept_before, kept_after = _differing(before, after)
        repository.add(
            transaction.session,
            AuditRow(
                workspace_id=workspace_id,
                actor=actor.name,
                action=action,
                resource=resource,
                resource_id=resource_id,
                key=key,
                summary=summary,
                address=actor.address[:64],
                request_id=actor.request_id,
                before=kept_before,
                after=kept_after,
                created_at=self._clock.now(),
            ),
        )
        self._count(transaction, workspace_id or "")

    async def page(
        self, transaction: Transaction, *, actor: Actor, limit: int, offset: int
    ) -> tuple[list[AuditRow], int]:
        """Entries of the workspaces that exist for the caller and of none, newest first, and how
        many there are in all."""
        readable = self._grants.readable(actor)
        return await repository.page(transaction.session, readable, limit, offset)

    def _count(self, transaction: Transaction, scope: str) -> None:
        counted: Counter[str] | None = transaction.notes.get(self)
        if counted is None:
            counted = transaction.notes[self] = Counter()
            scopes = counted
            transaction.before_commit(lambda: repository.add_to_counts(transaction.session, scopes))
        counted[scope] += 1


def _differing(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    if before is None or after is None:
        return _cut(before), _cut(after)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return (
        _cut({name: before.get(name) for name in names}),
        _cut({name: after.get(name) for name in names}),
    )


def _cut(fields: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if fields is None:
        return None
    return {name: _cut_value(value) for name, value in fields.items()}


def _cut_value(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        return f"{value[:LONGEST_VALUE]}… ({len(value)} characters)"
    return value
