"""Permissions by workspace, in memory, so that no request queries the database."""

from collections.abc import Sequence

from promptops_platform.access import repository
from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import (
    ACCOUNTS,
    GLOBAL,
    NARROW,
    NEEDED_ROLE,
    Permission,
    Role,
    allows,
    role_within,
)
from promptops_platform.changes.schemas import ChangeType, NumberedChange
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import Forbidden

OPEN = "open"
DEFAULT_WORKSPACE = "default"
# Permissions with which a key that is limited to environments could get around its limits: the
# audit trail contains texts of all environments, statistics count the runs of all, connections are
# used by the runs of all, and triggers react to events in all.
UNLIMITED = GLOBAL | {
    Permission.WORKSPACES_MANAGE,
    Permission.MEMBERS_WRITE,
    Permission.PROVIDERS_WRITE,
    Permission.AUDIT_READ,
    Permission.RUNS_STATS,
    Permission.TRIGGERS_READ,
    Permission.TRIGGERS_WRITE,
}
CHANGES = frozenset(
    {ChangeType.WORKSPACE_SAVED, ChangeType.WORKSPACE_DELETED, ChangeType.USER_CHANGED}
)


class Grants:
    """Roles within workspaces; a consumer of the change feed.

    In an open workspace everyone has their global role, and members may have a higher one. A
    restricted workspace is visible only to its members and to admins, who could not manage it
    otherwise.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._open: frozenset[str] = frozenset()
        self._restricted: frozenset[str] = frozenset()
        self._ids: dict[str, str] = {}
        self._members: dict[tuple[str, str], Role] = {}
        # The order in which all workspaces are searched for a prompt: `default` first, the others
        # by age.
        self.ranks: dict[str, int] = {}
        # The workspaces that are searched for callers who don't name one.
        self._marked: frozenset[str] = frozenset()
        self._readable: dict[str | None, frozenset[str]] = {}
        self._implicit: dict[str | None, frozenset[str]] = {}

    async def load(self) -> None:
        async with self._database.read() as transaction:
            workspaces = await repository.workspaces(transaction.session)
            self._members = await repository.members(transaction.session)
        self._open = frozenset(
            workspace.id for workspace in workspaces if workspace.visibility == OPEN
        )
        self._restricted = frozenset(workspace.id for workspace in workspaces) - self._open
        ids = [workspace.id for workspace in workspaces]
        # An id takes precedence over another workspace's slug.
        self._ids = {workspace.slug: workspace.id for workspace in workspaces}
        self._ids |= {id_: id_ for id_ in ids}
        ids.sort(key=lambda id_: id_ != DEFAULT_WORKSPACE)
        self.ranks = {id_: rank for rank, id_ in enumerate(ids)}
        self._marked = frozenset(
            workspace.id for workspace in workspaces if workspace.implicit_lookup
        )
        self._readable, self._implicit = {}, {}

    async def apply(self, changes: Sequence[NumberedChange]) -> None:
        if any(numbered.change.type in CHANGES for numbered in changes):
            await self.load()

    def find(self, actor: Actor, name: str) -> str | None:
        """Return the id of the workspace with this id or slug, None if the caller may not see
        it."""
        workspace_id = self._ids.get(name)
        return (
            workspace_id
            if workspace_id is not None and self.can_read(actor, workspace_id)
            else None
        )

    def role_in(self, actor: Actor, workspace_id: str) -> Role | None:
        """Return the caller's role in a workspace; None if the caller may not see it."""
        if actor.workspace_id is not None:
            return actor.role if actor.workspace_id == workspace_id else None
        member = self._members.get((workspace_id, actor.user_id or ""))
        return role_within(actor.role, member, is_open=workspace_id in self._open)

    def readable(self, actor: Actor) -> frozenset[str] | None:
        """Return the ids of the workspaces that the caller may see. None means all, including what
        deleted workspaces have left behind."""
        if actor.workspace_id is not None:
            return frozenset({actor.workspace_id})
        if actor.role == Role.ADMIN:
            return None
        readable = self._readable.get(actor.user_id)
        if readable is None:
            own = {ws for ws in self._restricted if (ws, actor.user_id or "") in self._members}
            readable = self._readable[actor.user_id] = self._open | own
        return readable

    def implicit(self, actor: Actor) -> frozenset[str]:
        """Return the ids of the workspaces that are searched for a prompt if the caller doesn't
        name one: the workspace of the API key, otherwise the readable ones that an admin has
        marked."""
        if actor.workspace_id is not None:
            return frozenset({actor.workspace_id})
        readable = self.readable(actor)
        if readable is None:
            return self._marked
        workspaces = self._implicit.get(actor.user_id)
        if workspaces is None:
            workspaces = self._implicit[actor.user_id] = readable & self._marked
        return workspaces

    def can_read(self, actor: Actor, workspace_id: str) -> bool:
        """Whether the caller may see the workspace."""
        readable = self.readable(actor)
        return readable is None or workspace_id in readable

    def require(self, actor: Actor, permission: Permission, workspace_id: str) -> None:
        """Raises Forbidden, in the words of the wire contract, if the caller's role in the
        workspace is too low."""
        _refuse_limited(actor, permission)
        role = self.role_in(actor, workspace_id)
        if role is None or not allows(role, permission):
            raise _forbidden(permission)
        _refuse_accounts(actor, permission)

    def require_global(self, actor: Actor, permission: Permission) -> None:
        """Raises Forbidden for callers who don't have the permission globally."""
        _refuse_limited(actor, permission)
        if actor.workspace_id is not None:
            raise Forbidden("forbidden: an API key of one workspace can't do this")
        if not allows(actor.role, permission):
            raise _forbidden(permission)
        _refuse_accounts(actor, permission)

    def has(self, actor: Actor, permission: Permission, workspace_id: str) -> bool:
        """Whether `require` allows the caller."""
        try:
            self.require(actor, permission, workspace_id)
        except Forbidden:
            return False
        return True

    def has_global(self, actor: Actor, permission: Permission) -> bool:
        """Whether `require_global` allows the caller."""
        try:
            self.require_global(actor, permission)
        except Forbidden:
            return False
        return True

    def require_somewhere(self, actor: Actor, permission: Permission) -> None:
        """The guard of a route: raises Forbidden for callers who don't have the permission in any
        workspace. The service then checks the workspace of the request."""
        if permission in GLOBAL:
            self.require_global(actor, permission)
            return
        _refuse_limited(actor, permission)
        if allows(actor.role, permission):
            _refuse_accounts(actor, permission)
            return
        roles = (role for (_, user), role in self._members.items() if user == actor.user_id)
        if not any(allows(role, permission) for role in roles):
            raise _forbidden(permission)


def require_environment(actor: Actor, env: str) -> None:
    """Raises Forbidden for an API key that is limited to other environments."""
    if not actor.may_enter(env):
        allowed = ", ".join(sorted(actor.environments))
        raise Forbidden(f"forbidden: this API key is limited to the environments {allowed}")


def require_fetch(actor: Actor) -> None:
    """Raises Forbidden for keys with a narrow scope that excludes fetching."""
    if actor.role in NARROW:
        raise _forbidden(Permission.PROMPTS_FETCH)


def _refuse_limited(actor: Actor, permission: Permission) -> None:
    if actor.environments and permission in UNLIMITED:
        raise Forbidden("forbidden: an API key that is limited to environments can't do this")


def may_manage_accounts(actor: Actor) -> bool:
    """Whether the caller's role alone decides about accounts and members. This is false for API
    keys: the accounts that they create would outlive them and might have more permissions."""
    return actor.key_id is None or actor.manages_accounts


def _refuse_accounts(actor: Actor, permission: Permission) -> None:
    if permission in ACCOUNTS and not may_manage_accounts(actor):
        raise Forbidden(
            "forbidden: this API key may not make or change accounts and members; log in, or have "
            "an admin make a key with manage_accounts"
        )


def _forbidden(permission: Permission) -> Forbidden:
    return Forbidden(f"forbidden: requires {NEEDED_ROLE[permission]} role")
