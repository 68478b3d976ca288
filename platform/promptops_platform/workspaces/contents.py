"""The interface to things that other rooms store in a workspace."""

from collections.abc import Collection, Mapping
from typing import Protocol

from promptops_platform.db.unit_of_work import Transaction


class RoomContents(Protocol):
    """One kind of things that belong to a workspace and are deleted with it."""

    # In the singular, for messages.
    noun: str
    # The route that removes one of them; None if they don't keep the workspace from being deleted.
    removal: str | None

    async def count(self, transaction: Transaction, workspace_id: str) -> int:
        """Return how many the workspace has."""

    async def clear(self, transaction: Transaction, workspace_id: str) -> int:
        """Delete all, and add those that caches contain to the change feed; returns how many there
        were."""


class EnvironmentUse(Protocol):
    """A room whose things belong to environments."""

    # In the plural, for messages.
    nouns: str

    async def environments(self, transaction: Transaction, workspace_id: str) -> Collection[str]:
        """Return the names of the workspace's environments that are in use."""


def listed(counts: Mapping[str, int]) -> str:
    """Return a text such as `3 prompts, 1 workflow and 12 runs`."""
    parts = [f"{number} {noun}{'' if number == 1 else 's'}" for noun, number in counts.items()]
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]])) if parts else "nothing"
