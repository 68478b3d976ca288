"""The audit trail: written in the transaction of the change, read by everyone."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.audit import repository, search
from promptops_platform.audit.schemas import AuditFilter
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
        self._count(transaction, workspace_id)

    async def page(
        self,
        transaction: Transaction,
        wanted: AuditFilter,
        *,
        actor: Actor,
        limit: int,
        offset: int,
    ) -> search.Entries:
        """A part of the entries that are wanted, newest first; of the workspaces that exist for
        the caller, and of none."""
        readable = self._grants.readable(actor)
        if readable is not None:
            wanted = replace(wanted, workspaces=[None, *sorted(readable)])
        return await search.page(transaction.session, wanted, limit=limit, offset=offset)

    def _count(self, transaction: Transaction, workspace_id: str | None) -> None:
        """Count an entry with the commit, whose last statements take the workspaces' totals."""
        added: Counter[str | None] | None = transaction.notes.get(self)
        if added is None:
            added = transaction.notes[self] = Counter()
            transaction.before_commit(partial(search.count, transaction.session, added))
        added[workspace_id] += 1


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
