"""What other rooms keep in a workspace, as far as workspaces have to know of it."""

from collections.abc import Collection, Mapping
from typing import Protocol

from promptops_platform.db.unit_of_work import Transaction


class RoomContents(Protocol):
    """One kind of things that belong to a workspace and go with it."""

    # In the singular, as sentences name it.
    noun: str
    # What removes one of them; None for what does not keep its workspace from being deleted.
    removal: str | None

    async def count(self, transaction: Transaction, workspace_id: str) -> int:
        """How many the workspace has."""

    async def clear(self, transaction: Transaction, workspace_id: str) -> int:
        """Delete them and tell the change feed of each that others keep in memory; returns how
        many there were."""


class EnvironmentUse(Protocol):
    """Somebody who keeps things by environment."""

    # In the plural, as sentences name them.
    nouns: str

    async def environments(self, transaction: Transaction, workspace_id: str) -> Collection[str]:
        """Names of the workspace's environments in which there is something."""


def listed(held: Mapping[str, int]) -> str:
    """`3 prompts, 1 workflow and 12 runs`."""
    parts = [f"{number} {noun}{'' if number == 1 else 's'}" for noun, number in held.items()]
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]])) if parts else "nothing"
