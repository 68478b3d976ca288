"""The history of what was served: each move of a published pointer and of a rollout."""

from collections.abc import Collection
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.prompts import repository
from promptops_platform.prompts.tables import PromptRow, ServedMoveRow


class ServedHistory:
    """Written in the transaction of the move; goes with its prompt."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def begin(
        self, transaction: Transaction, prompt: PromptRow, *, actor: Actor, note: str = ""
    ) -> None:
        """Add the first entry of a new prompt: its working copy is served."""
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
        """Add a move: what is published now and before, and the variants of a running rollout."""
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
        """Moves of a prompt in these environments, None for all, newest first, and how many there
        are of them."""
        return await repository.moves(
            transaction.session, prompt_id, environments, limit=limit, offset=offset
        )
