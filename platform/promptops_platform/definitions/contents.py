"""Agents and workflows as contents of a workspace."""

from collections.abc import Collection
from typing import Generic

from promptops_platform.changes.schemas import Change
from promptops_platform.changes.service import ChangeLog
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions import repository
from promptops_platform.definitions.kinds import Kind, RowT


class DefinitionContents(Generic[RowT]):
    """Definitions of one kind."""

    def __init__(self, kind: Kind[RowT], changes: ChangeLog) -> None:
        self._kind = kind
        self._changes = changes
        self.noun = kind.noun
        self.removal: str | None = f"DELETE {kind.path}/:id"

    async def count(self, transaction: Transaction, workspace_id: str) -> int:
        """Return the number of definitions in the workspace."""
        return await repository.count(transaction.session, self._kind.table, workspace_id)

    async def clear(self, transaction: Transaction, workspace_id: str) -> int:
        """Delete all definitions with their versions, and add each deletion to the change feed."""
        deleted = await repository.clear(transaction.session, self._kind.table, workspace_id)
        for resource_id, key, version in deleted:
            change = Change(
                self._kind.deleted, resource_id, workspace_id, key, version=str(version)
            )
            self._changes.record(transaction, change)
        return len(deleted)


class ServedEnvironments:
    """The environments that serve an agent or a workflow."""

    nouns = "published agents or workflows"

    async def environments(self, transaction: Transaction, workspace_id: str) -> Collection[str]:
        """Their names."""
        return await repository.used_environments(transaction.session, workspace_id)
