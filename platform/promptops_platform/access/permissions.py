"""Permissions and roles."""

from enum import StrEnum


class Role(StrEnum):
    """The roles. Each includes those before it, except `worker` and `metrics`: no other role
    includes them, and they include none. `worker`, `metrics` and `sdk` are the narrow scopes of API
    keys."""

    WORKER = "worker"
    METRICS = "metrics"
    SDK = "sdk"
    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"


class Permission(StrEnum):
    """Every route that isn't public requires one."""

    OWN_ACCOUNT = "account:own"
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    PROMPTS_READ = "prompts:read"
    PROMPTS_WRITE = "prompts:write"
    PROMPTS_PROTECTED = "prompts:protected"
    PROMPTS_FETCH = "prompts:fetch"
    ROLLOUTS_READ = "rollouts:read"
    ROLLOUTS_WRITE = "rollouts:write"
    SCHEDULES_READ = "schedules:read"
    SCHEDULES_WRITE = "schedules:write"
    PLAYGROUND_RUN = "playground:run"
    WORKFLOWS_READ = "workflows:read"
    WORKFLOWS_WRITE = "workflows:write"
    WORKFLOWS_RUN = "workflows:run"
    AGENTS_READ = "agents:read"
    AGENTS_WRITE = "agents:write"
    AGENTS_RUN = "agents:run"
    WORKSPACES_READ = "workspaces:read"
    WORKSPACES_CREATE = "workspaces:create"
    WORKSPACES_MANAGE = "workspaces:manage"
    WORKSPACES_DELETE = "workspaces:delete"
    MEMBERS_WRITE = "members:write"
    WORKSPACES_MARK = "workspaces:mark"
    PROVIDERS_READ = "providers:read"
    PROVIDERS_WRITE = "providers:write"
    TRIGGERS_READ = "triggers:read"
    TRIGGERS_WRITE = "triggers:write"
    RUNS_READ = "runs:read"
    RUNS_STATS = "runs:stats"
    AUDIT_READ = "audit:read"
    CLIENTS_READ = "clients:read"
    METRICS_READ = "metrics:read"
    SYSTEM_READ = "system:read"
    WORKER_RUN = "worker:run"


RANK = {role: rank for rank, role in enumerate(Role)}

# The lowest role with each permission.
NEEDED_ROLE: dict[Permission, Role] = {
    Permission.OWN_ACCOUNT: Role.VIEWER,
    Permission.USERS_READ: Role.ADMIN,
    Permission.USERS_WRITE: Role.ADMIN,
    Permission.KEYS_READ: Role.ADMIN,
    Permission.KEYS_WRITE: Role.ADMIN,
    Permission.PROMPTS_READ: Role.VIEWER,
    Permission.PROMPTS_WRITE: Role.EDITOR,
    Permission.PROMPTS_PROTECTED: Role.ADMIN,
    Permission.PROMPTS_FETCH: Role.SDK,
    Permission.ROLLOUTS_READ: Role.VIEWER,
    Permission.ROLLOUTS_WRITE: Role.EDITOR,
    Permission.SCHEDULES_READ: Role.VIEWER,
    Permission.SCHEDULES_WRITE: Role.EDITOR,
    Permission.PLAYGROUND_RUN: Role.VIEWER,
    Permission.WORKFLOWS_READ: Role.VIEWER,
    Permission.WORKFLOWS_WRITE: Role.EDITOR,
    Permission.WORKFLOWS_RUN: Role.VIEWER,
    Permission.AGENTS_READ: Role.VIEWER,
    Permission.AGENTS_WRITE: Role.EDITOR,
    Permission.AGENTS_RUN: Role.VIEWER,
    Permission.WORKSPACES_READ: Role.VIEWER,
    Permission.WORKSPACES_CREATE: Role.EDITOR,
    Permission.WORKSPACES_MANAGE: Role.ADMIN,
    Permission.WORKSPACES_DELETE: Role.ADMIN,
    Permission.MEMBERS_WRITE: Role.ADMIN,
    # Clients of all teams are served from marked workspaces, so the admins of a workspace can't
    # mark it themselves.
    Permission.WORKSPACES_MARK: Role.ADMIN,
    Permission.PROVIDERS_READ: Role.VIEWER,
    Permission.PROVIDERS_WRITE: Role.ADMIN,
    Permission.TRIGGERS_READ: Role.VIEWER,
    Permission.TRIGGERS_WRITE: Role.EDITOR,
    Permission.RUNS_READ: Role.VIEWER,
    Permission.RUNS_STATS: Role.VIEWER,
    Permission.AUDIT_READ: Role.VIEWER,
    Permission.CLIENTS_READ: Role.VIEWER,
    # These concern the whole installation, including restricted workspaces.
    Permission.METRICS_READ: Role.ADMIN,
    Permission.SYSTEM_READ: Role.ADMIN,
    Permission.WORKER_RUN: Role.WORKER,
}

# Additional permissions of roles.
ALSO = frozenset({(Role.METRICS, Permission.METRICS_READ)})

# Permissions that only one role has: a worker gets the keys of model providers, which nobody else
# can read.
ONLY: dict[Permission, Role] = {Permission.WORKER_RUN: Role.WORKER}

# Roles with a single purpose for the whole installation, and the permission that creating their
# keys requires.
NARROW: dict[Role, Permission] = {
    Role.WORKER: Permission.SYSTEM_READ,
    Role.METRICS: Permission.METRICS_READ,
}
KEYS_ONLY = frozenset({*NARROW, Role.SDK})

# Not tied to a single workspace: neither a role within a workspace nor a key of one is sufficient.
GLOBAL = frozenset(
    {
        Permission.USERS_READ,
        Permission.USERS_WRITE,
        Permission.WORKSPACES_CREATE,
        Permission.WORKSPACES_DELETE,
        Permission.WORKSPACES_MARK,
        Permission.METRICS_READ,
        Permission.SYSTEM_READ,
        Permission.WORKER_RUN,
    }
)

# An API key needs more than its role for these: the accounts outlive it and may have more
# permissions.
ACCOUNTS = frozenset({Permission.USERS_WRITE, Permission.MEMBERS_WRITE})


def known_role(name: str) -> Role:
    """Return a user's role; an unknown one, perhaps of a newer release, counts as the lowest."""
    return Role(name) if name in set(Role) - KEYS_ONLY else Role.VIEWER


def known_key_role(name: str) -> Role:
    """Return an API key's role; an unknown one counts as the narrowest."""
    return Role(name) if name in set(Role) else Role.SDK


def allows(role: Role, permission: Permission) -> bool:
    """Whether `role` has `permission`."""
    if permission in ONLY:
        return role is ONLY[permission]
    return RANK[role] >= RANK[NEEDED_ROLE[permission]] or (role, permission) in ALSO


def role_within(role: Role, member: Role | None, *, is_open: bool) -> Role | None:
    """Return a user's role in a workspace, from the global role and that of a member; None if the
    user may not see the workspace."""
    if role == Role.ADMIN:
        return role
    return highest(role, member) if is_open else member


def capped(key_role: Role, maker_role: Role | None) -> Role | None:
    """Return the role of a key while its maker has `maker_role`; None for no permissions."""
    if maker_role is None:
        return None
    if key_role in NARROW:
        return key_role if allows(maker_role, NARROW[key_role]) else None
    return min(key_role, maker_role, key=RANK.__getitem__)


def highest(*roles: Role | None) -> Role | None:
    """Return the highest of these roles; None if there is none."""
    return max((role for role in roles if role is not None), key=RANK.__getitem__, default=None)
