"""Prompts as contents of a workspace and its environments."""

from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.changes.service import ChangeLog
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.prompts import repository


class PromptContents:
    """Prompts of a workspace, with their versions, history and rollouts."""

    noun = "prompt"
    nouns = "prompts"
    removal: str | None = "DELETE /api/prompts/:id"

    def __init__(self, changes: ChangeLog) -> None:
        self._changes = changes

    async def count(self, transaction: Transaction, workspace_id: str) -> int:
        """Return the number of prompts in the workspace."""
        return await repository.count(transaction.session, workspace_id)

    async def clear(self, transaction: Transaction, workspace_id: str) -> int:
        """Delete all prompts. Each deletion is added to the change feed, because another
        workspace's prompt may be served in its place."""
        deleted = await repository.clear(transaction.session, workspace_id)
        for prompt_id, key, env, version in deleted:
            change = Change(ChangeType.PROMPT_DELETED, prompt_id, workspace_id, key, env, version)
            self._changes.record(transaction, change)
        return len(deleted)

    async def environments(self, transaction: Transaction, workspace_id: str) -> set[str]:
        """Return the names of the workspace's environments that contain prompts."""
        return await repository.used_environments(transaction.session, workspace_id)
