"""Who uses a definition, and would break without it."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from promptops_platform.access.actor import Actor
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import Conflict

# So many users are named in a sentence; the answer's field holds all.
MOST_NAMED = 5


class DefinitionUser(NamedTuple):
    """What uses a definition; `where` is the draft, or the environments that serve it so. One that
    does not exist for the caller is not `visible`."""

    kind: str
    id: str
    key: str
    where: list[str]
    visible: bool

    def shown(self) -> dict[str, Any]:
        """The user in an answer."""
        return {"kind": self.kind, "id": self.id, "key": self.key, "where": self.where}


class DefinitionUses(Protocol):
    """A room above whose contents use definitions."""

    async def users_of(
        self, transaction: Transaction, workspace_id: str, kind: str, key: str, *, actor: Actor
    ) -> list[DefinitionUser]:
        """What uses the definition of this kind and key."""


class DefinitionInUse(Conflict):
    """Others use it; the answer names them."""

    code = "in_use"


def refuse_used(kind: str, key: str, users: Sequence[DefinitionUser]) -> None:
    """Raises DefinitionInUse where there are any."""
    if not users:
        return
    visible = [user for user in users if user.visible]
    shown_users = [f"{user.kind} {user.key!r}" for user in visible[:MOST_NAMED]]
    if rest := len(users) - len(shown_users):
        shown_users.append(f"{rest} more")
    raise DefinitionInUse(
        f"{kind} {key!r} is used by {', '.join(shown_users)}; change these first, or send "
        "?force=true to delete it all the same",
        fields={
            "used_by": [user.shown() for user in visible],
            "hidden_users": len(users) - len(visible),
        },
    )
