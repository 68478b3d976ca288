"""The service of workspaces."""

import itertools
import re
from collections.abc import Collection
from typing import Any, TypedDict

from sqlalchemy.exc import IntegrityError

from promptops_platform.access.actor import SYSTEM, Actor
from promptops_platform.access.grants import DEFAULT_WORKSPACE, OPEN, Grants
from promptops_platform.access.permissions import Permission, Role
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.pages import Part
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import BadRequest, Conflict, NotFound
from promptops_platform.field_types import LONGEST_LABEL
from promptops_platform.ids import new_id
from promptops_platform.workspaces import repository
from promptops_platform.workspaces.environments import EnvironmentService
from promptops_platform.workspaces.tables import MemberRow, WorkspaceRow


class WorkspaceFields(TypedDict, total=False):
    """The fields of a change; None keeps the value."""

    name: str
    slug: str
    visibility: str
    implicit_lookup: bool


# `-` and a number.
LONGEST_SUFFIX = 10


class WorkspaceService:
    """Creates and finds workspaces. `Grants` decides who has access."""

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

    async def search(
        self, transaction: Transaction, text: str | None, part: Part, *, actor: Actor
    ) -> tuple[list[WorkspaceRow], int]:
        """Return the workspaces that the caller can see, oldest first by default, and the total."""
        readable = self._grants.readable(actor)
        rows, total = await repository.search(transaction.session, readable, text, part)
        # The caller may have lost access to one meanwhile.
        return [row for row in rows if self._grants.can_read(actor, row.id)], total

    async def find(
        self, transaction: Transaction, name: str | None, *, actor: Actor
    ) -> WorkspaceRow:
        """Return the workspace with this id or slug; by default that of the caller's API key,
        otherwise `default`. Raises NotFound, also if the caller can't see it."""
        wanted_name = name or actor.workspace_id or DEFAULT_WORKSPACE
        row = await repository.by_id_or_slug(transaction.session, wanted_name)
        if row is None or not self._grants.can_read(actor, row.id):
            raise NotFound(f"workspace {wanted_name!r} not found; GET /api/workspaces lists them")
        return row

    async def find_for(
        self, transaction: Transaction, name: str | None, permission: Permission, *, actor: Actor
    ) -> WorkspaceRow:
        """Like `find`, for a change in the workspace: it can't be deleted before the commit. Raises
        Forbidden if the caller lacks the permission there."""
        row = await self.find(transaction, name, actor=actor)
        self._grants.require(actor, permission, row.id)
        await self.lock_row(transaction, row.id)
        return row

    async def lock_row(self, transaction: Transaction, workspace_id: str) -> None:
        """Protect a workspace from deletion until the commit; raises NotFound if it is deleted.

        Locks on its contents must be taken afterwards, in the same order as a deletion of the
        workspace.
        """
        if not await repository.lock_row(transaction.session, workspace_id):
            raise _deleted_meanwhile(workspace_id)

    async def deleted(self, transaction: Transaction, workspace_ids: Collection[str]) -> set[str]:
        """Return those that were deleted; the others are protected like by `lock_row`."""
        return {
            workspace_id
            for workspace_id in sorted(workspace_ids)
            if not await repository.lock_row(transaction.session, workspace_id)
        }

    async def locked(
        self, transaction: Transaction, name: str, permission: Permission, *, actor: Actor
    ) -> WorkspaceRow:
        """Like `find`, but locked until the commit, for a change of the workspace itself; raises
        Forbidden if the caller lacks the permission there."""
        workspace = await self.find(transaction, name, actor=actor)
        self._grants.require(actor, permission, workspace.id)
        row = await repository.lock(transaction.session, workspace.id)
        if row is None:
            raise _deleted_meanwhile(name)
        return row

    def role(self, row: WorkspaceRow, *, actor: Actor) -> Role:
        """Return the caller's role there; raises NotFound if the caller can't see it."""
        role = self._grants.role_in(actor, row.id)
        if role is None:
            raise NotFound(f"workspace {row.id!r} not found; GET /api/workspaces lists them")
        return role

    async def create(
        self,
        transaction: Transaction,
        *,
        actor: Actor,
        name: str,
        slug: str | None,
        visibility: str = OPEN,
        implicit_lookup: bool | None = None,
    ) -> WorkspaceRow:
        """Create a workspace; the creator becomes the first member of a restricted one, as admin.

        Without a slug it gets one derived from its name, or the next free one: `team-2`. Without
        `implicit_lookup` it is marked if its creator may mark it. Raises BadRequest for a
        restricted workspace that its creator could not see, Conflict for a taken slug, and
        Forbidden for a mark by others than global admins.
        """
        if implicit_lookup:
            self._grants.require_global(actor, Permission.WORKSPACES_MARK)
        elif implicit_lookup is None:
            implicit_lookup = self._grants.has_global(actor, Permission.WORKSPACES_MARK)
        if visibility != OPEN and actor.user_id is None and actor.role != Role.ADMIN:
            raise BadRequest(
                "visibility: a restricted workspace needs a user as its first member; log in to "
                "create it, or use an API key with role admin"
            )
        await repository.lock_slugs(transaction.session)
        row = WorkspaceRow(
            id=new_id(),
            name=name,
            slug=slug or await _free_slug(transaction, name),
            visibility=visibility,
            implicit_lookup=implicit_lookup,
            created_at=self._clock.now(),
        )
        await self._add(transaction, row, actor)
        if visibility != OPEN and actor.user_id is not None:
            repository.add_member(transaction.session, self._member(row.id, actor.user_id))
        return row

    async def update(
        self,
        transaction: Transaction,
        name: str,
        *,
        actor: Actor,
        fields: WorkspaceFields,
    ) -> WorkspaceRow:
        """Change `name`, `slug`, `visibility` or, as a global admin, `implicit_lookup`; raises
        NotFound, Forbidden, BadRequest for what `default` must keep, Conflict for a taken slug."""
        row = await self.locked(transaction, name, Permission.WORKSPACES_MANAGE, actor=actor)
        before = shown(row)
        _check_default(row, fields)
        marked = fields.get("implicit_lookup", row.implicit_lookup)
        if marked != row.implicit_lookup:
            self._grants.require_global(actor, Permission.WORKSPACES_MARK)
            row.implicit_lookup = marked
        row.name = fields.get("name", row.name)
        row.slug = fields.get("slug", row.slug)
        row.visibility = fields.get("visibility", row.visibility)
        await self._flush(transaction, row)
        changed = [field for field, value in shown(row).items() if value != before[field]]
        if changed:
            summary = f"changed {', '.join(changed)}"
            self._recorded(transaction, row, actor, "update", summary, before, shown(row))
        return row

    async def seed(self, transaction: Transaction) -> None:
        """Create the workspace `default` in an empty database."""
        if await repository.exists(transaction.session):
            return
        row = WorkspaceRow(
            id=DEFAULT_WORKSPACE,
            name="Default",
            slug=DEFAULT_WORKSPACE,
            visibility=OPEN,
            implicit_lookup=True,
            created_at=self._clock.now(),
        )
        await self._add(transaction, row, SYSTEM)

    async def _add(self, transaction: Transaction, row: WorkspaceRow, actor: Actor) -> None:
        transaction.session.add(row)
        await self._flush(transaction, row)
        self._environments.seed(transaction, row.id)
        self._recorded(
            transaction, row, actor, "create", f"created workspace {row.name}", after=shown(row)
        )

    async def _flush(self, transaction: Transaction, row: WorkspaceRow) -> None:
        slug = row.slug
        try:
            await transaction.session.flush()
        except IntegrityError as error:
            raise Conflict(f"slug: {slug!r} is taken; choose another one") from error

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
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        changed = Change(ChangeType.WORKSPACE_SAVED, row.id, workspace_id=row.id)
        self._changes.record(transaction, changed)
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


def shown(row: WorkspaceRow) -> dict[str, Any]:
    """Return the fields for the audit trail."""
    return {
        "name": row.name,
        "slug": row.slug,
        "visibility": row.visibility,
        "implicit_lookup": row.implicit_lookup,
    }


def _check_default(row: WorkspaceRow, fields: WorkspaceFields) -> None:
    """Clients without a workspace rely on it, and another slug would change the names of its
    flows."""
    if row.id != DEFAULT_WORKSPACE:
        return
    if fields.get("visibility", OPEN) != OPEN:
        raise BadRequest(
            "visibility: the workspace 'default' stays open, clients without a workspace use it; "
            "create another workspace that is restricted"
        )
    if fields.get("slug", DEFAULT_WORKSPACE) != DEFAULT_WORKSPACE:
        raise BadRequest("slug: the workspace 'default' keeps its slug; change its name instead")
    if not fields.get("implicit_lookup", True):
        raise BadRequest(
            "implicit_lookup: the workspace 'default' always serves fetches that name no "
            "workspace; leave it true"
        )


def _deleted_meanwhile(name: str) -> NotFound:
    return NotFound(f"workspace {name!r} not found; it was deleted meanwhile")


async def _free_slug(transaction: Transaction, name: str) -> str:
    """Return the slug of a name, or that slug with the lowest free number from 2 on."""
    slug = _slug_of(name)
    taken = await repository.slugs_from(transaction.session, slug[: LONGEST_LABEL - LONGEST_SUFFIX])
    numbered = (
        f"{slug[: LONGEST_LABEL - len(suffix)]}{suffix}"
        for suffix in (f"-{number}" for number in itertools.count(2))
    )
    return next(free for free in itertools.chain([slug], numbered) if free not in taken)


def _slug_of(name: str) -> str:
    """`My Team!` becomes `my-team`; a name without letters gets an id."""
    return re.sub(r"[^\w]+", "-", name.lower()).strip("-")[:LONGEST_LABEL] or new_id()[-8:]
