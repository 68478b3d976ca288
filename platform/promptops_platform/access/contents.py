"""API keys as what a workspace holds."""

from promptops_platform.access import key_repository
from promptops_platform.db.unit_of_work import Transaction


class KeyContents:
    """API keys of a workspace."""

    noun = "API key"
    removal: str | None = "DELETE /api/keys/:id"

    async def count(self, transaction: Transaction, workspace_id: str) -> int:
        """How many the workspace has."""
        return await key_repository.count_keys(transaction.session, workspace_id)

    async def clear(self, transaction: Transaction, workspace_id: str) -> int:
        """Delete all keys; mirrors of them drop them when they hear of the deleted workspace."""
        return await key_repository.clear_keys(transaction.session, workspace_id)
