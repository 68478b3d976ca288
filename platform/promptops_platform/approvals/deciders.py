"""Who may decide."""

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.permissions import NEEDED_ROLE, RANK, Permission, Role
from promptops_platform.access.scopes import sees
from promptops_platform.approvals.tables import ApprovalRow


class Deciders:
    """Members by their roles or by their names; by default everybody who may run the workflow."""

    def __init__(self, grants: Grants) -> None:
        self._grants = grants

    def may_see(self, row: ApprovalRow, *, actor: Actor) -> bool:
        """Whether the caller can see the approval, like its run."""
        permitted = self._grants.has(actor, Permission.RUNS_READ, row.workspace_id)
        return permitted and sees(actor, row.scope)

    def may_decide(self, row: ApprovalRow, *, actor: Actor) -> bool:
        """Whether the caller is one of the deciders."""
        if not self.may_see(row, actor=actor):
            return False
        if not row.roles and not row.members:
            return self._grants.has(actor, Permission.WORKFLOWS_RUN, row.workspace_id)
        if actor.user_id is not None and actor.name in row.members:
            return True
        role = self._grants.role_in(actor, row.workspace_id)
        return role is not None and any(RANK[role] >= RANK[Role(name)] for name in row.roles)


def deciders_of(row: ApprovalRow) -> str:
    """Return who may decide, for use in a sentence."""
    if not row.roles and not row.members:
        return f"everybody with the role {NEEDED_ROLE[Permission.WORKFLOWS_RUN]} or a higher one"
    parts = []
    if row.roles:
        lowest = min(row.roles, key=lambda name: RANK[Role(name)])
        parts.append(f"everybody with the role {lowest} or a higher one")
    if row.members:
        parts.append(", ".join(row.members))
    return ", and ".join(parts)
