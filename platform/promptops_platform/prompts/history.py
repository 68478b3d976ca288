"""The history of what was served: each change of a published version or of a rollout."""

from collections.abc import Collection
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.prompts import repository
from promptops_platform.prompts.tables import PromptRow, ServedMoveRow


class ServedHistory:
    """Entries are written in the transaction of the change and deleted with their prompt."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def begin(
        self, transaction: Transaction, prompt: PromptRow, *, actor: Actor, note: str = ""
    ) -> None:
        """Add the first entry of a new prompt, whose working copy is served."""
        self.record(
            transaction,
            prompt,
            actor=actor,
            action="create",
            version=None,
            previous_version=None,
            note=note,
        )

    def record(
        self,
        transaction: Transaction,
        prompt: PromptRow,
        *,
        actor: Actor,
        action: str,
        version: str | None,
        previous_version: str | None,
        variants: list[dict[str, Any]] | None = None,
        note: str = "",
    ) -> None:
        """Add a change: the published versions before and after, and a running rollout's
        variants."""
        repository.add_move(
            transaction.session,
            ServedMoveRow(
                prompt_id=prompt.id,
                action=action,
                env=prompt.env,
                version=version,
                previous_version=previous_version,
                variants=variants,
                note=note,
                actor=actor.name,
                created_at=self._clock.now(),
            ),
        )

    async def page(
        self,
        transaction: Transaction,
        prompt_id: str,
        *,
        environments: Collection[str] | None,
        limit: int,
        offset: int,
    ) -> tuple[list[ServedMoveRow], int]:
        """Return a page of a prompt's changes in these environments (None for all), newest first,
        and their total number."""
        return await repository.moves(
            transaction.session, prompt_id, environments, limit=limit, offset=offset
        )
