"""Which events a console receives: every change that its user may see."""

from dataclasses import replace

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.permissions import Permission
from promptops_platform.access.scopes import sees
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.realtime.subscription import Subscription

# The permission that is needed to see a change of this type. Types that are missing here are shown
# on no page.
NEEDED: dict[str, Permission] = {
    ChangeType.PROMPT_UPDATED: Permission.PROMPTS_READ,
    ChangeType.PROMPT_PUBLISHED: Permission.PROMPTS_READ,
    ChangeType.PROMPT_DRAFTED: Permission.PROMPTS_READ,
    ChangeType.PROMPT_DELETED: Permission.PROMPTS_READ,
    ChangeType.ROLLOUT_CHANGED: Permission.ROLLOUTS_READ,
    ChangeType.WORKFLOW_SAVED: Permission.WORKFLOWS_READ,
    ChangeType.WORKFLOW_PUBLISHED: Permission.WORKFLOWS_READ,
    ChangeType.WORKFLOW_DELETED: Permission.WORKFLOWS_READ,
    ChangeType.AGENT_SAVED: Permission.AGENTS_READ,
    ChangeType.AGENT_PUBLISHED: Permission.AGENTS_READ,
    ChangeType.AGENT_DELETED: Permission.AGENTS_READ,
    ChangeType.TRIGGER_CHANGED: Permission.TRIGGERS_READ,
    ChangeType.CONNECTION_CHANGED: Permission.PROVIDERS_READ,
    ChangeType.WORKSPACE_SAVED: Permission.WORKSPACES_READ,
    ChangeType.WORKSPACE_DELETED: Permission.WORKSPACES_READ,
    ChangeType.ENVIRONMENT_CHANGED: Permission.WORKSPACES_READ,
    ChangeType.CHANGE_REQUEST_CHANGED: Permission.PROMPTS_READ,
    ChangeType.SCHEDULE_CHANGED: Permission.SCHEDULES_READ,
    ChangeType.USER_CHANGED: Permission.USERS_READ,
    ChangeType.KEY_SAVED: Permission.KEYS_READ,
    ChangeType.KEY_REVOKED: Permission.KEYS_READ,
}
# Consoles use the name of the list for connections to a model provider.
RENAMED: dict[str, str] = {ChangeType.CONNECTION_CHANGED: "provider.changed"}


class ConsoleVisibility:
    """Decides for a subscription, with the current rights."""

    def __init__(self, grants: Grants) -> None:
        self._grants = grants

    def shown(self, subscription: Subscription, change: Change) -> Change | None:
        """Return the change in the form for this console; None if it does not receive it."""
        permission = NEEDED.get(change.type)
        if permission is None or not self._may_see(subscription.actor, change, permission):
            return None
        if change.env:
            return change if subscription.wants(change.env) else None
        if subscription.actor.environments:
            # It is unknown here whether the change concerns the environments of the key. The
            # console requests the list again, which contains only what the key may see.
            change = replace(change, resource_id="", key="")
        return replace(change, type=RENAMED.get(change.type, change.type))

    def sees_run(self, actor: Actor, workspace_id: str, scope: str | None) -> bool:
        """Whether the actor may read the runs of this scope in the workspace."""
        return sees(actor, scope) and self._grants.has(actor, Permission.RUNS_READ, workspace_id)

    def _may_see(self, actor: Actor, change: Change, permission: Permission) -> bool:
        if change.type == ChangeType.USER_CHANGED and change.resource_id == actor.user_id:
            return True
        if change.workspace_id is None:
            return self._grants.has_global(actor, permission)
        return self._grants.has(actor, permission, change.workspace_id)
