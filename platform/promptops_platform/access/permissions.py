"""What can be allowed, and which role may do it."""

from enum import StrEnum


class Role(StrEnum):
    """Roles, each including those before it."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"


class Permission(StrEnum):
    """Named by every route that is not public."""

    OWN_ACCOUNT = "account:own"
    PROMPTS_READ = "prompts:read"
    PROMPTS_WRITE = "prompts:write"
    PROMPTS_FETCH = "prompts:fetch"
    WORKFLOWS_READ = "workflows:read"
    WORKFLOWS_WRITE = "workflows:write"
    WORKFLOWS_RUN = "workflows:run"
    WORKSPACES_READ = "workspaces:read"
    WORKSPACES_WRITE = "workspaces:write"
    RUNS_READ = "runs:read"
    AUDIT_READ = "audit:read"
    CLIENTS_READ = "clients:read"


RANK = {Role.VIEWER: 0, Role.EDITOR: 1, Role.ADMIN: 2}

# The lowest role that has each permission.
NEEDED_ROLE: dict[Permission, Role] = {
    Permission.OWN_ACCOUNT: Role.VIEWER,
    Permission.PROMPTS_READ: Role.VIEWER,
    Permission.PROMPTS_WRITE: Role.EDITOR,
    Permission.PROMPTS_FETCH: Role.VIEWER,
    Permission.WORKFLOWS_READ: Role.VIEWER,
    Permission.WORKFLOWS_WRITE: Role.EDITOR,
    Permission.WORKFLOWS_RUN: Role.VIEWER,
    Permission.WORKSPACES_READ: Role.VIEWER,
    Permission.WORKSPACES_WRITE: Role.EDITOR,
    Permission.RUNS_READ: Role.VIEWER,
    Permission.AUDIT_READ: Role.VIEWER,
    Permission.CLIENTS_READ: Role.VIEWER,
}


def known_role(name: str) -> Role:
    """The role of that name; an unknown one, of a newer release perhaps, counts as the lowest."""
    return Role(name) if name in set(Role) else Role.VIEWER


def allows(role: Role, permission: Permission) -> bool:
    """Whether `role` has `permission`."""
    return RANK[role] >= RANK[NEEDED_ROLE[permission]]
