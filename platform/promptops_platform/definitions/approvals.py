"""Changes to what is served that need approvals, and the orders that describe them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from promptops_platform.errors import Conflict

# `responses=PROPOSABLE` marks a route whose change may become a change request.
PROPOSABLE: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "The environment requires approvals: nothing has changed yet.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Proposed"}}},
    }
}
# A change to the working copy only; what is served doesn't change.
DRAFT_ACTION = "draft"


@dataclass(frozen=True, slots=True)
class ServedChange:
    """A change to what an environment serves of a prompt, an agent or a workflow.

    `before` and `after` are versions; None is the working copy, or nothing if there is none.
    """

    kind: str
    workspace_id: str
    resource_id: str
    key: str
    env: str
    action: str
    before: str | None
    after: str | None

    @property
    def needs_approvals(self) -> bool:
        """Whether an environment that requires approvals requires them for this change.

        The working copy of an agent or a workflow runs until the first publish, and editing it
        needs no approval. A rollout that is off before and after needs none either.
        """
        if self.action == DRAFT_ACTION:
            return False
        if self.kind != "prompt" or self.action == "rollout":
            return self.before is not None or self.after is not None
        return True


@dataclass(frozen=True, slots=True)
class ServedOrder:
    """What a caller ordered: an action on a resource, with its arguments as JSON."""

    action: str
    resource_id: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


class ApprovalsNeeded(Conflict):
    """The environment requires approvals. An error with an `order` can become a change request."""

    code = "approvals_needed"

    def __init__(self, change: ServedChange, approvals: int) -> None:
        number = f"{approvals} approval{'' if approvals == 1 else 's'}"
        super().__init__(
            f"env: {change.env!r} asks for {number} before something else is served there, so "
            f"{_REMEDIES.get(change.action, _REMEDY).format(kind=change.kind)}",
            fields={"approvals": approvals},
        )
        self.change = change
        self.order: ServedOrder | None = None


_REMEDY = "this change has to be proposed: POST the publish, rollback, promotion or rollout there"
_REMEDIES = {
    "create": "make the {kind} in another environment and promote it",
    "update": "publish the {kind} first, which makes a change request; later edits are drafts",
    "move": "promote the {kind} instead of moving it",
}


@contextmanager
def ordered(action: str, resource_id: str, **arguments: Any) -> Iterator[None]:
    """Describe the action, for the change request that may result from it."""
    try:
        yield
    except ApprovalsNeeded as error:
        # The outermost order is the one that the caller sent.
        error.order = ServedOrder(action, resource_id, arguments)
        raise
