"""Workflows as what a workspace holds."""

from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.workflows import repository


class WorkflowHolding:
    """Workflows of a workspace."""

    noun = "workflow"
    removal: str | None = "DELETE /api/workflows/:id"

    def __init__(self, changes: ChangeLog) -> None:
        self._changes = changes

    async def count(self, transaction: Transaction, workspace_id: str) -> int:
        """How many the workspace has."""
        return await repository.count(transaction.session, workspace_id)

    async def clear(self, transaction: Transaction, workspace_id: str) -> int:
        """Delete all, and tell the change feed of each."""
        gone = await repository.clear(transaction.session, workspace_id)
        for workflow_id, key, version in gone:
            change = Change(
                ChangeType.WORKFLOW_DELETED, workflow_id, workspace_id, key, version=str(version)
            )
            self._changes.record(transaction, change)
        return len(gone)
