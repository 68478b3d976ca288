"""Connections as contents of a workspace."""

from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.providers import repository


class ConnectionContents:
    """Connections of a workspace, with their keys."""

    noun = "connection"
    removal: str | None = "DELETE /api/providers/:id"

    async def count(self, transaction: Transaction, workspace_id: str) -> int:
        """How many the workspace has."""
        return await repository.count(transaction.session, workspace_id)

    async def clear(self, transaction: Transaction, workspace_id: str) -> int:
        """Delete all; mirrors drop theirs when the workspace is deleted."""
        return await repository.clear(transaction.session, workspace_id)
