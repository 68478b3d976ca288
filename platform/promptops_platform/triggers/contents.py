"""Triggers as what a workspace holds."""

from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.deployments.service import Deployments
from promptops_platform.triggers import repository
from promptops_platform.triggers.service import KIND


class TriggerContents:
    """Triggers of a workspace, with what has fired them."""

    noun = "trigger"
    removal: str | None = "DELETE /api/triggers/:id"

    def __init__(self) -> None:
        # Set once the rooms above workspaces are there.
        self.deployments: Deployments | None = None

    async def count(self, transaction: Transaction, workspace_id: str) -> int:
        """How many the workspace has."""
        return await repository.count(transaction.session, workspace_id)

    async def clear(self, transaction: Transaction, workspace_id: str) -> int:
        """Delete all; who keeps them in memory hears of the workspace."""
        gone = await repository.clear(transaction.session, workspace_id)
        for trigger_id in gone:
            assert self.deployments is not None
            self.deployments.changed(transaction, KIND, trigger_id)
        return len(gone)
