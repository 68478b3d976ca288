"""What uses a definition, and would break without it."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from promptops_platform.access.actor import Actor
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import Conflict

# A message lists at most this many users; a field of the response lists all of them.
MOST_NAMED = 5


class DefinitionUser(NamedTuple):
    """A user of a definition; `where` is the draft or the environments that serve it. `visible` is
    false if the caller may not see the user."""

    kind: str
    id: str
    key: str
    where: list[str]
    visible: bool

    def shown(self) -> dict[str, Any]:
        """Return the user as it is sent."""
        return {"kind": self.kind, "id": self.id, "key": self.key, "where": self.where}


class DefinitionUses(Protocol):
    """A room above this one, whose contents use definitions."""

    async def users_of(
        self, transaction: Transaction, workspace_id: str, kind: str, key: str, *, actor: Actor
    ) -> list[DefinitionUser]:
        """Return what uses the definition of this kind and key."""


class DefinitionInUse(Conflict):
    """Others use the definition; the response lists them."""

    code = "in_use"


def refuse_used(kind: str, key: str, users: Sequence[DefinitionUser]) -> None:
    """Raises DefinitionInUse if there are any users."""
    if not users:
        return
    visible = [user for user in users if user.visible]
    shown_users = [f"{user.kind} {user.key!r}" for user in visible[:MOST_NAMED]]
    if rest := len(users) - len(shown_users):
        shown_users.append(f"{rest} more")
    raise DefinitionInUse(
        f"{kind} {key!r} is used by {', '.join(shown_users)}; change these first, or send "
        "?force=true to delete it anyway",
        fields={
            "used_by": [user.shown() for user in visible],
            "hidden_users": len(users) - len(visible),
        },
    )
