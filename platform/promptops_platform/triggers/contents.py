"""Triggers as contents of a workspace."""

from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.deployments.service import Deployments
from promptops_platform.triggers import repository
from promptops_platform.triggers.service import KIND


class TriggerContents:
    """Triggers of a workspace, with their firings."""

    noun = "trigger"
    removal: str | None = "DELETE /api/triggers/:id"

    def __init__(self) -> None:
        # Set after the rooms above workspaces have been built.
        self.deployments: Deployments | None = None

    async def count(self, transaction: Transaction, workspace_id: str) -> int:
        """Return how many triggers the workspace has."""
        return await repository.count(transaction.session, workspace_id)

    async def clear(self, transaction: Transaction, workspace_id: str) -> int:
        """Delete all triggers of a workspace; caches are notified by the workspace's own change."""
        deleted = await repository.clear(transaction.session, workspace_id)
        for trigger_id in deleted:
            assert self.deployments is not None
            self.deployments.changed(transaction, KIND, trigger_id)
        return len(deleted)
