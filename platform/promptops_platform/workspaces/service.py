"""Workspaces."""

import re
from typing import Any

from sqlalchemy.exc import IntegrityError

from promptops_platform.access.actor import SYSTEM, Actor
from promptops_platform.access.grants import DEFAULT_WORKSPACE, OPEN, Grants
from promptops_platform.access.permissions import Permission, Role
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.tables import MemberRow, WorkspaceRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, Conflict, NotFound
from promptops_platform.ids import new_id
from promptops_platform.workspaces import repository
from promptops_platform.workspaces.environments import EnvironmentService


class WorkspaceService:
    """Creates and finds workspaces. Who may enter which is for `Grants` to say."""

    def __init__(
        self,
        *,
        grants: Grants,
        environments: EnvironmentService,
        audit: AuditTrail,
        changes: ChangeLog,
        clock: Clock,
    ) -> None:
        self._grants = grants
        self._environments = environments
        self._audit = audit
        self._changes = changes
        self._clock = clock

    async def every(self, transaction: Transaction, *, actor: Actor) -> list[WorkspaceRow]:
        """The workspaces that exist for the caller, oldest first."""
        rows = await repository.every(transaction.session)
        return [row for row in rows if self._grants.can_read(actor, row.id)]

    async def find(
        self, transaction: Transaction, name: str | None, *, actor: Actor
    ) -> WorkspaceRow:
        """The workspace with this id or slug; for none that of the caller's API key, else
        `default`. Raises NotFound, also where it doesn't exist for the caller."""
        wanted = name or actor.workspace_id or DEFAULT_WORKSPACE
        row = await repository.by_id_or_slug(transaction.session, wanted)
        if row is None or not self._grants.can_read(actor, row.id):
            raise NotFound(f"workspace {wanted!r} not found; GET /api/workspaces lists them")
        return row

    async def find_for(
        self, transaction: Transaction, name: str | None, permission: Permission, *, actor: Actor
    ) -> WorkspaceRow:
        """As `find`; raises Forbidden where the caller lacks the permission there."""
        row = await self.find(transaction, name, actor=actor)
        self._grants.require(actor, permission, row.id)
        return row

    async def create(
        self,
        transaction: Transaction,
        *,
        actor: Actor,
        name: str,
        slug: str | None,
        visibility: str = OPEN,
    ) -> WorkspaceRow:
        """Make a workspace; raises BadRequest for an empty name, Conflict for a taken slug."""
        if not name.strip():
            raise BadRequest("name: is empty; give the workspace a name")
        row = WorkspaceRow(
            id=new_id(),
            name=name.strip(),
            slug=slug or _slug_of(name),
            visibility=visibility,
            created_at=self._clock.now(),
        )
        await self._add(transaction, row, actor)
        if visibility != OPEN and actor.user_id is not None:
            repository.add_member(transaction.session, self._member(row.id, actor.user_id))
        return row

    async def seed(self, transaction: Transaction) -> None:
        """Make the workspace `default` of an empty database."""
        if await repository.every(transaction.session):
            return
        row = WorkspaceRow(
            id=DEFAULT_WORKSPACE,
            name="Default",
            slug=DEFAULT_WORKSPACE,
            visibility=OPEN,
            created_at=self._clock.now(),
        )
        await self._add(transaction, row, SYSTEM)

    async def _add(self, transaction: Transaction, row: WorkspaceRow, actor: Actor) -> None:
        transaction.session.add(row)
        try:
            await transaction.session.flush()
        except IntegrityError as error:
            raise Conflict(f"slug: {row.slug!r} is taken; choose another one") from error
        self._environments.seed(transaction, row.id)
        self._recorded(
            transaction, row, actor, "create", f"created workspace {row.name}", after=_shown(row)
        )

    def _member(self, workspace_id: str, user_id: str) -> MemberRow:
        return MemberRow(
            workspace_id=workspace_id,
            user_id=user_id,
            role=Role.ADMIN,
            created_at=self._clock.now(),
        )

    def _recorded(
        self,
        transaction: Transaction,
        row: WorkspaceRow,
        actor: Actor,
        action: str,
        summary: str,
        kind: ChangeType = ChangeType.WORKSPACE_SAVED,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        self._changes.record(transaction, Change(kind, row.id, workspace_id=row.id))
        self._audit.record(
            transaction,
            actor=actor,
            action=action,
            resource="workspace",
            resource_id=row.id,
            key=row.slug,
            summary=summary,
            workspace_id=row.id,
            before=before,
            after=after,
        )


def _shown(row: WorkspaceRow) -> dict[str, Any]:
    return {"name": row.name, "slug": row.slug, "visibility": row.visibility}


def _slug_of(name: str) -> str:
    """`My Team!` becomes `my-team`; a name without letters gets an id."""
    return re.sub(r"[^\w]+", "-", name.lower()).strip("-")[:64] or new_id()[-8:]
