"""What a change to a prompt does to its running rollout."""

from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.prompts.tables import PromptRow
from promptops_platform.rollouts import repository
from promptops_platform.rollouts.audit import RolloutAudit, shown


class RolloutEnding:
    """Reads a rollout and switches it off. It doesn't use the prompt service, which is a room below
    and calls this."""

    def __init__(self, audit: RolloutAudit, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock

    async def end(self, transaction: Transaction, prompt: PromptRow, *, actor: Actor) -> bool:
        """End the rollout of `prompt`; return whether one was running. It stays stored, switched
        off. The caller notifies watchers and writes the history, because it changes what is served
        anyway."""
        row = await repository.of_prompt(transaction.session, prompt.id)
        if row is None or not row.enabled:
            return False
        before = shown(row)
        row.enabled = False
        row.updated_at = self._clock.now()
        self._audit.record(transaction, prompt, row.id, actor, before, shown(row))
        return True

    async def variants(
        self, transaction: Transaction, prompt: PromptRow
    ) -> list[dict[str, Any]] | None:
        """Return the variants that fetches of `prompt` are distributed over; None if no rollout is
        running."""
        row = await repository.of_prompt(transaction.session, prompt.id)
        return row.variants if row is not None and row.enabled else None
