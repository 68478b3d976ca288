"""Deletes a workspace with everything in it."""

from collections.abc import Sequence

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import DEFAULT_WORKSPACE, Grants
from promptops_platform.access.permissions import Permission
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, Conflict, NotFound
from promptops_platform.workspaces import repository
from promptops_platform.workspaces.contents import RoomContents, listed
from promptops_platform.workspaces.service import WorkspaceService, shown


class WorkspaceRemoval:
    """Deletes workspaces. Members, environments and runs are always deleted too, and audit entries
    stay; other `contents` are deleted only with `force`."""

    def __init__(
        self,
        *,
        workspaces: WorkspaceService,
        contents: Sequence[RoomContents],
        grants: Grants,
        audit: AuditTrail,
        changes: ChangeLog,
    ) -> None:
        self._workspaces = workspaces
        self._contents = contents
        self._grants = grants
        self._audit = audit
        self._changes = changes

    async def remove(
        self, transaction: Transaction, name: str, *, actor: Actor, force: bool
    ) -> None:
        """Delete the workspace with this id or slug.

        Raises Conflict with what it still contains, unless `force` is set; BadRequest for
        `default`, NotFound and Forbidden.
        """
        self._grants.require_global(actor, Permission.WORKSPACES_DELETE)
        row = await self._workspaces.find(transaction, name, actor=actor)
        if row.id == DEFAULT_WORKSPACE:
            raise BadRequest("the workspace 'default' can't be deleted; clients without one use it")
        # From here on, nothing more can be created in it.
        if await repository.lock(transaction.session, row.id, from_new_content=True) is None:
            raise NotFound(f"workspace {name!r} not found; it was deleted meanwhile")
        counts = await self._emptied(transaction, row.id, force)
        await repository.remove(transaction.session, row.id)
        self._changes.record(
            transaction, Change(ChangeType.WORKSPACE_DELETED, row.id, workspace_id=row.id)
        )
        self._audit.record(
            transaction,
            actor=actor,
            action="delete",
            resource="workspace",
            resource_id=row.id,
            key=row.slug,
            summary=f"deleted workspace {row.name} with {listed(counts)}",
            workspace_id=row.id,
            before={**shown(row), "held": counts},
        )

    async def _emptied(
        self, transaction: Transaction, workspace_id: str, force: bool
    ) -> dict[str, int]:
        """Return what it contained; everything is deleted."""
        if not force:
            await self._refuse_contents(transaction, workspace_id)
        counts = {}
        for content in self._contents:
            if number := await content.clear(transaction, workspace_id):
                counts[content.noun] = number
        return counts

    async def _refuse_contents(self, transaction: Transaction, workspace_id: str) -> None:
        counts, removals = {}, {}
        for content in self._contents:
            if content.removal is None:
                continue
            if number := await content.count(transaction, workspace_id):
                counts[content.noun], removals[content.noun] = number, content.removal
        if counts:
            raise Conflict(
                f"workspace {workspace_id!r} still contains {listed(counts)}; delete these first "
                f"({', '.join(removals.values())}), or send ?force=true to delete them with it",
                fields={"holds": counts, "removed_by": removals},
            )
