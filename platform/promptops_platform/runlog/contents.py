"""Runs as what a workspace holds."""

from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.runlog import repository


class RunContents:
    """Runs of a workspace with their steps, also those under way: these go on to their end, which
    is answered and recorded nowhere."""

    noun = "run"
    # A log keeps nobody from cleaning up, and single runs can't be deleted.
    removal: str | None = None

    async def count(self, transaction: Transaction, workspace_id: str) -> int:
        """How many the workspace has."""
        return await repository.count(transaction.session, workspace_id)

    async def clear(self, transaction: Transaction, workspace_id: str) -> int:
        """Delete all."""
        return await repository.clear(transaction.session, workspace_id)
