"""SQL of rollouts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.search import LIKE_ESCAPE, containing
from promptops_platform.prompts.tables import PromptRow, PromptVersionRow
from promptops_platform.rollouts.tables import RolloutRow

# A rollout, its prompt, and the prompt's published label.
RolloutOfPrompt = Row[tuple[RolloutRow, PromptRow, Any]]


@dataclass(frozen=True, slots=True)
class RolloutFilter:
    """Filters of a list of rollouts; None doesn't filter."""

    workspace_id: str | None = None
    env: str | None = None
    enabled: bool | None = None
    # Contained in the prompt's key, ignoring ASCII case.
    text: str | None = None


async def of_prompt(session: AsyncSession, prompt_id: str) -> RolloutRow | None:
    """Return a prompt's rollout, enabled or not; writers have to hold the prompt's lock."""
    row: RolloutRow | None = await session.scalar(
        select(RolloutRow).where(RolloutRow.prompt_id == prompt_id)
    )
    return row


async def enabled(session: AsyncSession, prompt_ids: Collection[str] | None) -> list[RolloutRow]:
    """Return the enabled rollouts of these prompts; None for all."""
    query = select(RolloutRow).where(RolloutRow.enabled)
    if prompt_ids is not None:
        query = query.where(RolloutRow.prompt_id.in_(prompt_ids))
    return list(await session.scalars(query))


async def page(
    session: AsyncSession,
    filters: RolloutFilter,
    *,
    readable: Collection[str] | None,
    environments: Collection[str] | None,
    limit: int,
    offset: int,
) -> tuple[Sequence[RolloutOfPrompt], int]:
    """Return a page of the rollouts in these workspaces and environments (None for all), newest
    change first, and their total number."""
    query = (
        select(RolloutRow, PromptRow, PromptVersionRow.version)
        .join(PromptRow, PromptRow.id == RolloutRow.prompt_id)
        .outerjoin(PromptVersionRow, PromptVersionRow.id == PromptRow.published_id)
    )
    query = _filtered(query, filters, readable, environments)
    counted = query.with_only_columns(func.count(RolloutRow.id))
    newest_first = query.order_by(RolloutRow.updated_at.desc(), RolloutRow.id.desc())
    rows = await session.execute(newest_first.limit(limit).offset(offset))
    return rows.all(), await session.scalar(counted) or 0


def _filtered(
    query: Select[Any],
    filters: RolloutFilter,
    readable: Collection[str] | None,
    environments: Collection[str] | None,
) -> Select[Any]:
    if filters.workspace_id is not None:
        query = query.where(PromptRow.workspace_id == filters.workspace_id)
    if filters.env is not None:
        query = query.where(PromptRow.env == filters.env)
    if filters.enabled is not None:
        query = query.where(RolloutRow.enabled == filters.enabled)
    if filters.text is not None:
        query = query.where(PromptRow.key.ilike(containing(filters.text), escape=LIKE_ESCAPE))
    if readable is not None:
        query = query.where(PromptRow.workspace_id.in_(readable))
    if environments is not None:
        query = query.where(PromptRow.env.in_(environments))
    return query


def add(session: AsyncSession, row: RolloutRow) -> None:
    """Store a new rollout."""
    session.add(row)


async def remove(session: AsyncSession, prompt_id: str) -> None:
    """Delete a prompt's rollout."""
    await session.execute(delete(RolloutRow).where(RolloutRow.prompt_id == prompt_id))
