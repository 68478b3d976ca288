"""Members: users with a role in one workspace."""

from typing import Any, NamedTuple

from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission, Role, known_role
from promptops_platform.access.tables import UserRow
from promptops_platform.access.users import UserService
from promptops_platform.audit.service import AuditTrail
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.clock import Clock
from promptops_platform.db.pages import Part
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import NotFound
from promptops_platform.workspaces import repository
from promptops_platform.workspaces.service import WorkspaceService
from promptops_platform.workspaces.tables import MemberRow, WorkspaceRow


class Membership(NamedTuple):
    """A member with the user's name."""

    row: MemberRow
    username: str


class MemberService:
    """Adds and removes members. Each change is audited and recorded in the feed.

    A restricted workspace may lose its last admin, or all of its members: global admins can still
    manage it.
    """

    def __init__(
        self,
        *,
        workspaces: WorkspaceService,
        users: UserService,
        audit: AuditTrail,
        changes: ChangeLog,
        clock: Clock,
    ) -> None:
        self._workspaces = workspaces
        self._users = users
        self._audit = audit
        self._changes = changes
        self._clock = clock

    async def search(
        self,
        transaction: Transaction,
        workspace: str,
        text: str | None,
        part: Part,
        *,
        actor: Actor,
    ) -> tuple[list[Membership], int]:
        """Return the members of the workspace with this id or slug, sorted by name by default, and
        the total; raises NotFound."""
        row = await self._workspaces.find(transaction, workspace, actor=actor)
        rows, total = await repository.members(transaction.session, row.id, text, part)
        return [Membership(member, username) for member, username in rows], total

    async def put(
        self, transaction: Transaction, workspace: str, user: str, role: Role, *, actor: Actor
    ) -> Membership:
        """Add a user, by id or name, or change a member's role; raises NotFound and Forbidden."""
        workspace_row = await self._locked(transaction, workspace, actor)
        account = await self._users.find(transaction, user)
        row = await repository.member(transaction.session, workspace_row.id, account.id)
        before = None if row is None else {"role": row.role}
        if row is None:
            row = MemberRow(
                workspace_id=workspace_row.id,
                user_id=account.id,
                role=role,
                created_at=self._clock.now(),
            )
            transaction.session.add(row)
        row.role = role
        action, summary = ("update", "is now") if before else ("create", "was added as")
        summary = f"{account.username} {summary} {role}"
        self._recorded(
            transaction, actor, workspace_row, account, action, summary, before, {"role": role}
        )
        return Membership(row, account.username)

    async def remove(
        self, transaction: Transaction, workspace: str, user: str, *, actor: Actor
    ) -> None:
        """Remove a member; raises NotFound and Forbidden."""
        workspace_row = await self._locked(transaction, workspace, actor)
        account = await self._users.find(transaction, user)
        row = await repository.member(transaction.session, workspace_row.id, account.id)
        if row is None:
            raise NotFound(
                f"user {user!r} is not a member of workspace {workspace_row.slug!r}; "
                f"GET /api/workspaces/{workspace_row.id}/members lists them"
            )
        await transaction.session.delete(row)
        before, summary = {"role": known_role(row.role)}, f"{account.username} was removed"
        self._recorded(transaction, actor, workspace_row, account, "delete", summary, before)

    async def _locked(self, transaction: Transaction, workspace: str, actor: Actor) -> WorkspaceRow:
        return await self._workspaces.locked(
            transaction, workspace, Permission.MEMBERS_WRITE, actor=actor
        )

    def _recorded(
        self,
        transaction: Transaction,
        actor: Actor,
        workspace: WorkspaceRow,
        account: UserRow,
        action: str,
        summary: str,
        before: dict[str, Any] | None,
        after: dict[str, Any] | None = None,
    ) -> None:
        changed = Change(ChangeType.WORKSPACE_SAVED, workspace.id, workspace_id=workspace.id)
        self._changes.record(transaction, changed)
        self._audit.record(
            transaction,
            actor=actor,
            action=action,
            resource="member",
            resource_id=account.id,
            key=account.username,
            summary=summary,
            workspace_id=workspace.id,
            before=before,
            after=after,
        )
