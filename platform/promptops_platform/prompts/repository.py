"""SQL of prompts and their versions."""

from collections.abc import AsyncIterator, Sequence

from sqlalchemy import Select, delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.tables import PromptRow, PromptVersionRow, ServedMoveRow
from promptops_platform.prompts.schemas import ServedPrompt, Slot

LOAD_BATCH = 500


async def get(session: AsyncSession, prompt_id: str, *, lock: bool = False) -> PromptRow | None:
    """A prompt by id; `lock` holds off other writers of the row until the commit."""
    return await session.get(PromptRow, prompt_id, with_for_update=lock)


async def published_label(session: AsyncSession, row: PromptRow) -> str | None:
    """The label that is published, None before the first publish."""
    if row.published_id is None:
        return None
    result: str | None = await session.scalar(
        select(PromptVersionRow.version).where(PromptVersionRow.id == row.published_id)
    )
    return result


async def versions(session: AsyncSession, prompt_id: str) -> list[PromptVersionRow]:
    """Versions of a prompt, newest first."""
    rows = await session.scalars(
        select(PromptVersionRow)
        .where(PromptVersionRow.prompt_id == prompt_id)
        .order_by(PromptVersionRow.created_at.desc(), PromptVersionRow.id.desc())
    )
    return list(rows)


async def version(session: AsyncSession, prompt_id: str, label: str) -> PromptVersionRow | None:
    """A version by its label."""
    result: PromptVersionRow | None = await session.scalar(
        select(PromptVersionRow).where(
            PromptVersionRow.prompt_id == prompt_id, PromptVersionRow.version == label
        )
    )
    return result


async def labels(session: AsyncSession, prompt_id: str) -> list[str]:
    """All labels that are published under a prompt."""
    rows = await session.scalars(
        select(PromptVersionRow.version).where(PromptVersionRow.prompt_id == prompt_id)
    )
    return list(rows)


async def remove(session: AsyncSession, prompt_id: str) -> None:
    """Delete a prompt and, by the foreign key, its versions."""
    await session.execute(delete(PromptRow).where(PromptRow.id == prompt_id))


def add_move(session: AsyncSession, row: ServedMoveRow) -> None:
    """Append to the history of what was served."""
    session.add(row)


async def served(session: AsyncSession, slots: Sequence[Slot]) -> list[ServedPrompt]:
    """What these slots serve; a slot without a prompt is left out."""
    place = tuple_(PromptRow.workspace_id, PromptRow.env, PromptRow.key)
    rows = await session.execute(_served_query().where(place.in_(slots)))
    return [ServedPrompt(*row) for row in rows]


async def all_served(session: AsyncSession) -> AsyncIterator[ServedPrompt]:
    """What every slot serves, in batches, so that the whole is never held twice."""
    stream = await session.stream(_served_query().execution_options(yield_per=LOAD_BATCH))
    async for row in stream:
        yield ServedPrompt(*row)


async def served_versions(
    session: AsyncSession, wanted: Sequence[tuple[str, str]]
) -> list[ServedPrompt]:
    """What these versions serve, each named by prompt and label; unknown ones are left out."""
    published = PromptVersionRow
    query = select(
        PromptRow.workspace_id,
        PromptRow.id,
        PromptRow.key,
        PromptRow.env,
        published.version,
        published.model,
        published.content,
    ).join(published, published.prompt_id == PromptRow.id)
    place = tuple_(published.prompt_id, published.version)
    found: list[ServedPrompt] = []
    for start in range(0, len(wanted), LOAD_BATCH):
        batch = wanted[start : start + LOAD_BATCH]
        rows = await session.execute(query.where(place.in_(batch)))
        found += (ServedPrompt(*row) for row in rows)
    return found


def _served_query() -> Select[tuple[str, str, str, str, str, str, str, bool]]:
    published = PromptVersionRow
    return select(
        PromptRow.workspace_id,
        PromptRow.id,
        PromptRow.key,
        PromptRow.env,
        func.coalesce(published.version, PromptRow.version),
        func.coalesce(published.model, PromptRow.model),
        func.coalesce(published.content, PromptRow.content),
        PromptRow.published_id.is_not(None),
    ).outerjoin(published, published.id == PromptRow.published_id)
