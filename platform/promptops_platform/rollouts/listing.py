"""Rollouts of all prompts that the caller may see."""

from collections.abc import Sequence

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.rollouts import repository
from promptops_platform.rollouts.repository import RolloutFilter, RolloutOfPrompt


class RolloutList:
    """Lists rollouts over workspaces and environments."""

    def __init__(self, grants: Grants) -> None:
        self._grants = grants

    async def page(
        self,
        transaction: Transaction,
        filters: RolloutFilter,
        *,
        actor: Actor,
        limit: int,
        offset: int,
    ) -> tuple[Sequence[RolloutOfPrompt], int]:
        """Return a page of the rollouts with their prompts, newest change first, and their total
        number.

        An API key that is limited to environments sees those of its environments.
        """
        return await repository.page(
            transaction.session,
            filters,
            readable=self._grants.readable(actor),
            environments=actor.environments or None,
            limit=limit,
            offset=offset,
        )
