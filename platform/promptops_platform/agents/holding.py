"""Agents as what a workspace holds."""

from promptops_platform.agents import repository
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.db.unit_of_work import Transaction


class AgentHolding:
    """Agents of a workspace, and what they remember."""

    noun = "agent"
    removal: str | None = "DELETE /api/agents/:id"

    def __init__(self, changes: ChangeLog) -> None:
        self._changes = changes

    async def count(self, transaction: Transaction, workspace_id: str) -> int:
        """How many the workspace has."""
        return await repository.count(transaction.session, workspace_id)

    async def clear(self, transaction: Transaction, workspace_id: str) -> int:
        """Delete all, and tell the change feed of each."""
        gone = await repository.clear(transaction.session, workspace_id)
        for agent_id, key, version in gone:
            change = Change(
                ChangeType.AGENT_DELETED, agent_id, workspace_id, key, version=str(version)
            )
            self._changes.record(transaction, change)
        return len(gone)
