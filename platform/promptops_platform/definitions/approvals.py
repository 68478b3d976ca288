"""Changes of what is served that need approvals first, and the orders that describe them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from promptops_platform.errors import Conflict

# `responses=PROPOSABLE` on a route whose change may become a change request.
PROPOSABLE: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "The environment asks for approvals: nothing has changed yet.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Proposed"}}},
    }
}
# A change of a working copy alone: nobody is served anything else.
DRAFT_ACTION = "draft"


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

    @property
    def needs_approvals(self) -> bool:
        """Whether an environment that asks for approvals asks for them here.

        Agents and workflows have one working copy, which runs where nothing was published yet:
        its edits need none. Neither does a rollout that is off before and after.
        """
        if self.action == DRAFT_ACTION:
            return False
        if self.kind != "prompt" or self.action == "rollout":
            return self.before is not None or self.after is not None
        return True


@dataclass(frozen=True, slots=True)
class ServedOrder:
    """What a caller ordered: an action on a resource, its arguments as JSON."""

    action: str
    resource_id: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


class ApprovalsNeeded(Conflict):
    """The environment asks for approvals. With an `order` the change can become a request."""

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
    """Describe what is being done, for the change request that may come of it."""
    try:
        yield
    except ApprovalsNeeded as error:
        # The outermost order is the caller's.
        error.order = ServedOrder(action, resource_id, arguments)
        raise
