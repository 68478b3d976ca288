"""SQL of agents."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, delete, func, or_, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified

from promptops_platform.db.agent_tables import AgentRow, ConversationMessageRow, ConversationRow
from promptops_platform.db.search import LIKE_ESCAPE, containing

SEALED_PAGE = 200


async def get(session: AsyncSession, agent_id: str, *, lock: bool = False) -> AgentRow | None:
    """An agent by id; `lock` holds off other writers of the row until the commit."""
    return await session.get(AgentRow, agent_id, with_for_update=lock)


async def search(
    session: AsyncSession,
    readable: Collection[str] | None,
    workspace_id: str | None,
    text: str | None,
) -> list[AgentRow]:
    """Agents of these workspaces, None for all, with `text` in key, name or description; newest
    change first."""
    query = select(AgentRow).order_by(AgentRow.updated_at.desc(), AgentRow.id.desc())
    if readable is not None:
        query = query.where(AgentRow.workspace_id.in_(readable))
    if workspace_id is not None:
        query = query.where(AgentRow.workspace_id == workspace_id)
    if text is not None:
        columns = (AgentRow.key, AgentRow.name, AgentRow.description)
        pattern = containing(text)
        query = query.where(or_(*(each.ilike(pattern, escape=LIKE_ESCAPE) for each in columns)))
    return list(await session.scalars(query))


def set_columns(row: AgentRow, values: Mapping[str, Any]) -> None:
    """Change an agent's columns."""
    for name, value in values.items():
        setattr(row, name, value)
        # Python holds 1 and true for equal, JSON doesn't: without this the change would be lost.
        flag_modified(row, name)


async def remove(session: AsyncSession, agent_id: str) -> None:
    """Delete an agent; its conversations go along, its runs stay in the log."""
    await session.execute(delete(AgentRow).where(AgentRow.id == agent_id))


async def count(session: AsyncSession, workspace_id: str) -> int:
    """How many agents a workspace has."""
    query = select(func.count()).where(AgentRow.workspace_id == workspace_id)
    return await session.scalar(query.select_from(AgentRow)) or 0


async def clear(session: AsyncSession, workspace_id: str) -> Sequence[Row[tuple[str, str, int]]]:
    """Delete the agents of a workspace; returns id, key and version of each."""
    gone = await session.execute(
        delete(AgentRow)
        .where(AgentRow.workspace_id == workspace_id)
        .returning(AgentRow.id, AgentRow.key, AgentRow.version)
        .execution_options(synchronize_session=False)
    )
    return gone.all()


async def hold(session: AsyncSession, agent_id: str) -> bool:
    """Keep an agent from being deleted before the commit; False where it is gone already."""
    query = select(AgentRow.id).where(AgentRow.id == agent_id)
    return await session.scalar(query.with_for_update(read=True, key_share=True)) is not None


async def conversation(
    session: AsyncSession, agent_id: str, name: str, *, lock: bool = False
) -> ConversationRow | None:
    """A conversation by the id that its callers gave it; `lock` holds off others until the
    commit."""
    query = select(ConversationRow).where(
        ConversationRow.agent_id == agent_id, ConversationRow.name == name
    )
    found: ConversationRow | None = await session.scalar(query.with_for_update() if lock else query)
    return found


async def conversations(
    session: AsyncSession,
    agent_id: str,
    scopes: Collection[str] | None,
    *,
    limit: int,
    offset: int,
) -> tuple[list[ConversationRow], int]:
    """The conversations with an agent in which something was said, the last one first, and how
    many there are; of these scopes, None for all."""
    wanted = (ConversationRow.agent_id == agent_id) & (ConversationRow.messages > 0)
    if scopes is not None:
        wanted &= ConversationRow.scope.in_(scopes)
    rows = await session.scalars(
        select(ConversationRow)
        .where(wanted)
        .order_by(ConversationRow.updated_at.desc(), ConversationRow.id.desc())
        .limit(limit)
        .offset(offset)
    )
    total = await session.scalar(select(func.count()).select_from(ConversationRow).where(wanted))
    return list(rows), total or 0


async def messages(
    session: AsyncSession, conversation_id: str, *, newest: int
) -> list[ConversationMessageRow]:
    """The newest messages of a conversation, in their order."""
    rows = await session.scalars(
        select(ConversationMessageRow)
        .where(ConversationMessageRow.conversation_id == conversation_id)
        .order_by(ConversationMessageRow.position.desc())
        .limit(newest)
    )
    return list(rows)[::-1]


async def sealed_messages(session: AsyncSession) -> AsyncIterator[ConversationMessageRow]:
    """The sealed messages of all conversations, in pages: together they may be very many."""
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
    """One of the sealed messages."""
    query = select(ConversationMessageRow).where(ConversationMessageRow.sealed.is_not(None))
    row: ConversationMessageRow | None = await session.scalar(query.limit(1))
    return row


async def add_unless_taken(session: AsyncSession, row: ConversationRow) -> bool:
    """Add a conversation where its name is free, waiting for others who are about to take it;
    answers whether it was."""
    try:
        async with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


async def forget(session: AsyncSession, conversation_id: str) -> None:
    """Delete a conversation and, by the foreign key, its messages."""
    await session.execute(delete(ConversationRow).where(ConversationRow.id == conversation_id))
