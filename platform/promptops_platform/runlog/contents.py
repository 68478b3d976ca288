"""Runs as contents of a workspace."""

from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.runlog import repository


class RunContents:
    """Runs of a workspace with their steps, including active ones: these continue to their end,
    which is returned to the caller but not recorded."""

    noun = "run"
    # The log doesn't block deleting a workspace, and single runs can't be deleted.
    removal: str | None = None

    async def count(self, transaction: Transaction, workspace_id: str) -> int:
        """Return the number of runs in the workspace."""
        return await repository.count(transaction.session, workspace_id)

    async def clear(self, transaction: Transaction, workspace_id: str) -> int:
        """Delete all."""
        return await repository.clear(transaction.session, workspace_id)
