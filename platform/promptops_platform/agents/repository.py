"""SQL of agents."""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

from sqlalchemy import Row, delete, func, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.agents.tables import AgentRow, ConversationMessageRow, ConversationRow

SEALED_PAGE = 200


async def with_prompts(
    session: AsyncSession, workspace_id: str
) -> Sequence[Row[tuple[str, str, str, dict[str, Any] | None]]]:
    """Return id, key, name and reference of the agents of a workspace that use a prompt of the
    registry, by key."""
    columns = select(AgentRow.id, AgentRow.key, AgentRow.name, AgentRow.prompt_ref)
    rows = await session.execute(
        columns.where(
            AgentRow.workspace_id == workspace_id, AgentRow.prompt_ref.is_not(None)
        ).order_by(AgentRow.key)
    )
    return rows.all()


async def lock_row(session: AsyncSession, agent_id: str) -> bool:
    """Protect an agent from deletion until the commit; False if it is already deleted."""
    query = select(AgentRow.id).where(AgentRow.id == agent_id)
    return await session.scalar(query.with_for_update(read=True, key_share=True)) is not None


async def conversation(
    session: AsyncSession, agent_id: str, name: str, *, lock: bool = False
) -> ConversationRow | None:
    """Return a conversation by its name; `lock` blocks other writers of the row until the
    commit."""
    query = select(ConversationRow).where(
        ConversationRow.agent_id == agent_id, ConversationRow.name == name
    )
    row: ConversationRow | None = await session.scalar(query.with_for_update() if lock else query)
    return row


async def conversations(
    session: AsyncSession,
    agent_id: str,
    scopes: Collection[str] | None,
    *,
    limit: int,
    offset: int,
) -> tuple[list[ConversationRow], int]:
    """Return the conversations with an agent that have messages, latest first, and the total; with
    these scopes, None for all."""
    condition = (ConversationRow.agent_id == agent_id) & (ConversationRow.messages > 0)
    if scopes is not None:
        condition &= ConversationRow.scope.in_(scopes)
    rows = await session.scalars(
        select(ConversationRow)
        .where(condition)
        .order_by(ConversationRow.updated_at.desc(), ConversationRow.id.desc())
        .limit(limit)
        .offset(offset)
    )
    total = await session.scalar(select(func.count()).select_from(ConversationRow).where(condition))
    return list(rows), total or 0


async def messages(
    session: AsyncSession, conversation_id: str, *, newest: int
) -> list[ConversationMessageRow]:
    """Return the newest messages of a conversation in chronological order."""
    rows = await session.scalars(
        select(ConversationMessageRow)
        .where(ConversationMessageRow.conversation_id == conversation_id)
        .order_by(ConversationMessageRow.position.desc())
        .limit(newest)
    )
    return list(rows)[::-1]


async def sealed_messages(session: AsyncSession) -> AsyncIterator[ConversationMessageRow]:
    """Yield the sealed messages of all conversations, in pages, because there may be very many."""
    place = tuple_(ConversationMessageRow.conversation_id, ConversationMessageRow.position)
    last = ("", -1)
    while True:
        rows = await session.scalars(
            select(ConversationMessageRow)
            .where(ConversationMessageRow.sealed.is_not(None), place > last)
            .order_by(ConversationMessageRow.conversation_id, ConversationMessageRow.position)
            .limit(SEALED_PAGE)
        )
        page = rows.all()
        for row in page:
            yield row
        if not page:
            return
        last = (page[-1].conversation_id, page[-1].position)
        await session.flush()
        for row in page:
            session.expunge(row)


async def any_sealed(session: AsyncSession) -> ConversationMessageRow | None:
    """Return any sealed message."""
    query = select(ConversationMessageRow).where(ConversationMessageRow.sealed.is_not(None))
    row: ConversationMessageRow | None = await session.scalar(query.limit(1))
    return row


async def add_unless_taken(session: AsyncSession, row: ConversationRow) -> bool:
    """Add a conversation unless its name is taken, waiting for concurrent writers; returns whether
    it was added."""
    try:
        async with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


async def forget(session: AsyncSession, conversation_id: str) -> None:
    """Delete a conversation and, by the foreign key, its messages."""
    await session.execute(delete(ConversationRow).where(ConversationRow.id == conversation_id))
