"""API keys as contents of a workspace."""

from promptops_platform.access import key_repository
from promptops_platform.db.unit_of_work import Transaction


class KeyContents:
    """API keys of a workspace."""

    noun = "API key"
    removal: str | None = "DELETE /api/keys/:id"

    async def count(self, transaction: Transaction, workspace_id: str) -> int:
        """Return the number of keys in the workspace."""
        return await key_repository.count_keys(transaction.session, workspace_id)

    async def clear(self, transaction: Transaction, workspace_id: str) -> int:
        """Delete all keys; mirrors drop them when they receive the workspace's deletion."""
        return await key_repository.clear_keys(transaction.session, workspace_id)
