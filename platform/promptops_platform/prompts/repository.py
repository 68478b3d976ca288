"""SQL of prompts and their versions."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, delete, func, or_, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified

from promptops_platform.prompts.body import ServedVersion
from promptops_platform.prompts.schemas import ServedPrompt, Slot
from promptops_platform.prompts.tables import PromptRow, PromptVersionRow, ServedMoveRow
from promptops_platform.workspaces.tables import WorkspaceRow

LOAD_BATCH = 500


async def get(session: AsyncSession, prompt_id: str, *, lock: bool = False) -> PromptRow | None:
    """Return a prompt by id; `lock` locks its row until the commit."""
    return await session.get(PromptRow, prompt_id, with_for_update=lock)


async def lock_workspace_of(session: AsyncSession, prompt_id: str) -> None:
    """Lock a prompt's workspace against deletion until the commit. SQLite has a single writer and
    needs no lock."""
    if session.get_bind().dialect.name == "sqlite":
        return
    await session.execute(
        select(WorkspaceRow.id)
        .join(PromptRow, PromptRow.workspace_id == WorkspaceRow.id)
        .where(PromptRow.id == prompt_id)
        .with_for_update(read=True, key_share=True, of=WorkspaceRow)
    )


async def find_in_slot(session: AsyncSession, slot: Slot, *, lock: bool = True) -> PromptRow | None:
    """Return the prompt of a slot; `lock` locks its row until the commit."""
    workspace_id, env, key = slot
    query = select(PromptRow).where(
        PromptRow.workspace_id == workspace_id, PromptRow.env == env, PromptRow.key == key
    )
    result: PromptRow | None = await session.scalar(query.with_for_update() if lock else query)
    return result


async def add_unless_taken(session: AsyncSession, row: PromptRow) -> bool:
    """Add a prompt if its slot is free, waiting for concurrent inserts into the slot; return
    whether the prompt was added."""
    try:
        async with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


def set_columns(row: PromptRow, values: Mapping[str, Any]) -> None:
    """Set a prompt's columns."""
    for name, value in values.items():
        setattr(row, name, value)
        # 1 == True in Python but not in JSON: without this the change would not be written.
        flag_modified(row, name)


async def published(session: AsyncSession, row: PromptRow) -> ServedVersion | None:
    """Return the published version, None before the first publish."""
    if row.published_id is None:
        return None
    columns = select(PromptVersionRow.version, PromptVersionRow.content_hash)
    version = (await session.execute(columns.where(PromptVersionRow.id == row.published_id))).one()
    return ServedVersion(*version)


async def versions(
    session: AsyncSession,
    row: PromptRow,
    *,
    environments: Collection[str] | None,
    limit: int | None,
    offset: int,
) -> tuple[list[PromptVersionRow], int]:
    """Return a page of a prompt's versions, newest first, and their total number. `environments`
    keeps those published there and the served one; None keeps all."""
    query = (
        select(PromptVersionRow)
        .where(PromptVersionRow.prompt_id == row.id)
        .order_by(PromptVersionRow.created_at.desc(), PromptVersionRow.id.desc())
    )
    if environments is not None:
        is_served = PromptVersionRow.id == row.published_id
        query = query.where(or_(PromptVersionRow.env.in_(environments), is_served))
    rows = list(await session.scalars(query.limit(limit).offset(offset)))
    return rows, await _count(session, query.with_only_columns(PromptVersionRow.id))


async def version(session: AsyncSession, prompt_id: str, label: str) -> PromptVersionRow | None:
    """Return a version by its label."""
    result: PromptVersionRow | None = await session.scalar(
        select(PromptVersionRow).where(
            PromptVersionRow.prompt_id == prompt_id, PromptVersionRow.version == label
        )
    )
    return result


async def label_of_content(session: AsyncSession, prompt_id: str, content_hash: str) -> str | None:
    """Return the newest label of this content."""
    result: str | None = await session.scalar(
        select(PromptVersionRow.version)
        .where(
            PromptVersionRow.prompt_id == prompt_id, PromptVersionRow.content_hash == content_hash
        )
        .order_by(PromptVersionRow.created_at.desc(), PromptVersionRow.id.desc())
        .limit(1)
    )
    return result


async def labels(session: AsyncSession, prompt_id: str) -> list[str]:
    """Return all labels of a prompt's versions."""
    rows = await session.scalars(
        select(PromptVersionRow.version).where(PromptVersionRow.prompt_id == prompt_id)
    )
    return list(rows)


async def remove(session: AsyncSession, prompt_id: str) -> None:
    """Delete a prompt and, through the foreign key, its versions."""
    await session.execute(delete(PromptRow).where(PromptRow.id == prompt_id))


async def count(session: AsyncSession, workspace_id: str) -> int:
    """Return the number of prompts in a workspace."""
    query = select(func.count()).where(PromptRow.workspace_id == workspace_id)
    return await session.scalar(query.select_from(PromptRow)) or 0


async def clear(
    session: AsyncSession, workspace_id: str
) -> Sequence[Row[tuple[str, str, str, str]]]:
    """Delete the prompts of a workspace; return the id, key, environment and label of each."""
    deleted = await session.execute(
        delete(PromptRow)
        .where(PromptRow.workspace_id == workspace_id)
        .returning(PromptRow.id, PromptRow.key, PromptRow.env, PromptRow.version)
        .execution_options(synchronize_session=False)
    )
    return deleted.all()


async def used_environments(session: AsyncSession, workspace_id: str) -> set[str]:
    """Return the names of the environments in which a workspace has prompts."""
    query = select(PromptRow.env).where(PromptRow.workspace_id == workspace_id).distinct()
    return set(await session.scalars(query))


def add_move(session: AsyncSession, row: ServedMoveRow) -> None:
    """Append to the history of what was served."""
    session.add(row)


async def moves(
    session: AsyncSession,
    prompt_id: str,
    environments: Collection[str] | None,
    *,
    limit: int,
    offset: int,
) -> tuple[list[ServedMoveRow], int]:
    """Return a page of the history of what was served in these environments (None for all), newest
    first, and its total length."""
    query = (
        select(ServedMoveRow)
        .where(ServedMoveRow.prompt_id == prompt_id)
        .order_by(ServedMoveRow.id.desc())
    )
    if environments is not None:
        query = query.where(ServedMoveRow.env.in_(environments))
    rows = list(await session.scalars(query.limit(limit).offset(offset)))
    return rows, await _count(session, query.with_only_columns(ServedMoveRow.id))


async def served(session: AsyncSession, slots: Sequence[Slot]) -> list[ServedPrompt]:
    """Return what these slots serve; slots without a prompt are left out."""
    place = tuple_(PromptRow.workspace_id, PromptRow.env, PromptRow.key)
    rows = await session.execute(_served_query().where(place.in_(slots)))
    return [ServedPrompt(*row) for row in rows]


async def all_served(session: AsyncSession) -> AsyncIterator[ServedPrompt]:
    """Yield what every slot serves, in batches, so that memory never holds all of it twice."""
    stream = await session.stream(_served_query().execution_options(yield_per=LOAD_BATCH))
    async for row in stream:
        yield ServedPrompt(*row)


async def served_versions(
    session: AsyncSession, prompt_versions: Sequence[tuple[str, str]]
) -> list[ServedPrompt]:
    """Return what these versions, given by prompt and label, serve; unknown ones are left out."""
    published = PromptVersionRow
    query = select(
        PromptRow.workspace_id,
        PromptRow.id,
        PromptRow.key,
        PromptRow.env,
        published.version,
        published.model,
        published.content,
        PromptRow.published_id.is_not(None),
        published.kind,
        published.messages,
        published.config,
    ).join(published, published.prompt_id == PromptRow.id)
    place = tuple_(published.prompt_id, published.version)
    served: list[ServedPrompt] = []
    for start in range(0, len(prompt_versions), LOAD_BATCH):
        batch = prompt_versions[start : start + LOAD_BATCH]
        rows = await session.execute(query.where(place.in_(batch)))
        served += (ServedPrompt(*row) for row in rows)
    return served


async def _count(session: AsyncSession, query: Select[Any]) -> int:
    counted = select(func.count()).select_from(query.order_by(None).subquery())
    return await session.scalar(counted) or 0


def _served_query() -> Select[Any]:
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
        func.coalesce(published.kind, PromptRow.kind),
        func.coalesce(published.messages, PromptRow.messages),
        func.coalesce(published.config, PromptRow.config),
    ).outerjoin(published, published.id == PromptRow.published_id)
