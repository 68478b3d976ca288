"""The gate of what is served: each change of it passes here before it is made."""

from dataclasses import dataclass

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.permissions import Permission
from promptops_platform.workspaces.tables import EnvironmentRow


@dataclass(frozen=True, slots=True)
class ServedChange:
    """A change of what an environment serves of a prompt, an agent or a workflow.

    `before` and `after` are versions; None is the working copy, or nothing where there is none.
    """

    kind: str
    workspace_id: str
    resource_id: str
    key: str
    env: str
    action: str
    before: str | None
    after: str | None


class ServedGate:
    """Lets a change through, or refuses it. Nothing else may decide what is served."""

    def __init__(self, grants: Grants) -> None:
        self._grants = grants

    def admit(
        self, change: ServedChange, environment: EnvironmentRow | None, *, actor: Actor
    ) -> None:
        """Raises Forbidden where the environment is protected and the caller no admin.

        `environment` is the row of `change.env`, None for one that the change adds. Call this
        before the change is made, in its transaction.
        """
        if environment is not None and environment.protected:
            self._grants.require(actor, Permission.PROMPTS_PROTECTED, change.workspace_id)
