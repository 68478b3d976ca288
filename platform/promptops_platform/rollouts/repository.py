"""SQL of rollouts."""

from collections.abc import Collection

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.tables import RolloutRow


async def of_prompt(session: AsyncSession, prompt_id: str) -> RolloutRow | None:
    """A prompt's rollout, enabled or not; its writers hold the prompt's lock."""
    row: RolloutRow | None = await session.scalar(
        select(RolloutRow).where(RolloutRow.prompt_id == prompt_id)
    )
    return row


async def enabled(session: AsyncSession, prompt_ids: Collection[str] | None) -> list[RolloutRow]:
    """The rollouts that are on, of these prompts; None for all."""
    query = select(RolloutRow).where(RolloutRow.enabled)
    if prompt_ids is not None:
        query = query.where(RolloutRow.prompt_id.in_(prompt_ids))
    return list(await session.scalars(query))


def add(session: AsyncSession, row: RolloutRow) -> None:
    """Store a new rollout."""
    session.add(row)


async def remove(session: AsyncSession, prompt_id: str) -> None:
    """Delete a prompt's rollout."""
    await session.execute(delete(RolloutRow).where(RolloutRow.prompt_id == prompt_id))
