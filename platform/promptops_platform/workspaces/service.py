"""Workspaces."""

import re

from sqlalchemy.exc import IntegrityError

from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.tables import WorkspaceRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, Conflict, NotFound
from promptops_platform.ids import new_id
from promptops_platform.workspaces import repository

DEFAULT_WORKSPACE = "default"


class WorkspaceService:
    """Creates and finds workspaces."""

    def __init__(self, *, audit: AuditTrail, changes: ChangeLog, clock: Clock) -> None:
        self._audit = audit
        self._changes = changes
        self._clock = clock

    async def every(self, transaction: Transaction) -> list[WorkspaceRow]:
        """All workspaces, oldest first."""
        return await repository.every(transaction.session)

    async def find(self, transaction: Transaction, name: str | None) -> WorkspaceRow:
        """The workspace with this id or slug, `default` for none; raises NotFound."""
        wanted = name or DEFAULT_WORKSPACE
        row = await repository.by_id_or_slug(transaction.session, wanted)
        if row is None:
            raise NotFound(f"workspace {wanted!r} not found; GET /api/workspaces lists them")
        return row

    async def create(
        self, transaction: Transaction, *, actor: str, name: str, slug: str | None
    ) -> WorkspaceRow:
        """Make a workspace; raises BadRequest for an empty name, Conflict for a taken slug."""
        if not name.strip():
            raise BadRequest("name: is empty; give the workspace a name")
        row = WorkspaceRow(
            id=new_id(),
            name=name.strip(),
            slug=slug or _slug_of(name),
            created_at=self._clock.now(),
        )
        await self._add(transaction, row, actor)
        return row

    async def seed(self, transaction: Transaction) -> None:
        """Make the workspace `default` of an empty database."""
        if await repository.every(transaction.session):
            return
        row = WorkspaceRow(
            id=DEFAULT_WORKSPACE,
            name="Default",
            slug=DEFAULT_WORKSPACE,
            created_at=self._clock.now(),
        )
        await self._add(transaction, row, "system")

    async def _add(self, transaction: Transaction, row: WorkspaceRow, actor: str) -> None:
        transaction.session.add(row)
        try:
            await transaction.session.flush()
        except IntegrityError as error:
            raise Conflict(f"slug: {row.slug!r} is taken; choose another one") from error
        self._changes.record(
            transaction, Change(ChangeType.WORKSPACE_SAVED, row.id, workspace_id=row.id)
        )
        self._audit.record(
            transaction,
            actor=actor,
            action="create",
            resource="workspace",
            resource_id=row.id,
            key=row.slug,
            summary=f"created workspace {row.name}",
            workspace_id=row.id,
        )


def _slug_of(name: str) -> str:
    """`My Team!` becomes `my-team`; a name without letters gets an id."""
    return re.sub(r"[^\w]+", "-", name.lower()).strip("-")[:64] or new_id()[-8:]
