"""The audit trail: written in the transaction of the change."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.audit import repository, search
from promptops_platform.audit.schemas import AuditFilter
from promptops_platform.audit.search import EntryPosition, Total
from promptops_platform.audit.snapshots import changed_fields
from promptops_platform.audit.tables import AuditRow
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, NotFound

# An entry may be tens of kilobytes, and an export has one batch in memory.
EXPORT_BATCH = 200
ACTOR = "audited actor"


def actor_of(transaction: Transaction) -> Actor | None:
    """Return who has made the last audited change of a transaction."""
    return transaction.notes.get(ACTOR)


class AuditTrail:
    """Records who did what, and searches the entries."""

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

        Of the JSON objects `before` and `after`, the fields that differ are stored, or all fields
        if there is only one object; long values are cut, and values with names like those of
        secrets are hidden.
        """
        transaction.notes[ACTOR] = actor
        kept_before, kept_after = changed_fields(before, after)
        repository.add(
            transaction.session,
            AuditRow(
                workspace_id=workspace_id,
                actor=actor.name,
                actor_kind=actor.kind,
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
        self._count(transaction, workspace_id or repository.NO_WORKSPACE)

    async def page(
        self,
        transaction: Transaction,
        filters: AuditFilter,
        *,
        actor: Actor,
        workspace: str | None,
        limit: int,
        offset: int,
        before: int | None,
    ) -> tuple[list[AuditRow], Total]:
        """Return entries, newest first, and the number of matching ones; with `before` only those
        before that entry.

        Without a workspace (id or slug), the entries are those of all workspaces that the caller
        can see, and those without a workspace. Raises NotFound for an unknown workspace, BadRequest
        for an unknown entry.
        """
        seen = self._visible(filters, actor, workspace)
        rows = await search.entries(
            transaction.session,
            seen,
            limit=limit,
            offset=offset,
            before=await self._place(transaction, before),
        )
        return rows, await search.total(transaction.session, seen)

    async def batch(
        self,
        transaction: Transaction,
        filters: AuditFilter,
        *,
        actor: Actor,
        workspace: str | None,
        before: int | None,
    ) -> list[AuditRow]:
        """Return the next entries of an export; see `page`."""
        return await search.entries(
            transaction.session,
            self._visible(filters, actor, workspace),
            limit=EXPORT_BATCH,
            before=await self._place(transaction, before),
        )

    def _visible(self, filters: AuditFilter, actor: Actor, workspace: str | None) -> AuditFilter:
        """Return the filter, limited to what the caller can see."""
        if workspace is not None:
            workspace_id = self._grants.find(actor, workspace)
            if workspace_id is None:
                raise NotFound(f"workspace {workspace!r} not found; GET /api/workspaces lists them")
            return replace(filters, workspaces=[workspace_id])
        readable = self._grants.readable(actor)
        if readable is None:
            return filters
        # A workspace's API key can't see anything else.
        others = [] if actor.workspace_id is not None else [None]
        return replace(filters, workspaces=[*sorted(readable), *others])

    async def _place(self, transaction: Transaction, before: int | None) -> EntryPosition | None:
        if before is None:
            return None
        place = await search.place(transaction.session, before)
        if place is None:
            raise BadRequest(f"before: there is no entry {before}; send the id of a listed one")
        return place

    def _count(self, transaction: Transaction, scope: str) -> None:
        added: Counter[str] | None = transaction.notes.get(self)
        if added is None:
            added = transaction.notes[self] = Counter()
            transaction.before_commit(partial(repository.add_to_counts, transaction.session, added))
        added[scope] += 1
