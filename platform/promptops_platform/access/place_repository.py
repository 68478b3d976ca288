"""SQL of the networks that users have logged in from."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.access.tables import LoginPlaceRow, UserRow


async def is_familiar(session: AsyncSession, username: str, network: str, since: datetime) -> bool:
    """Whether there was a login to the account of this name from there."""
    query = (
        select(LoginPlaceRow.user_id)
        .join(UserRow, UserRow.id == LoginPlaceRow.user_id)
        .where(
            UserRow.username == username,
            LoginPlaceRow.network == network,
            LoginPlaceRow.seen_at > since,
        )
    )
    return await session.scalar(query.limit(1)) is not None


async def remember(
    session: AsyncSession, user_id: str, network: str, now: datetime, most: int
) -> None:
    """Record a login of a locked user, and keep the `most` newest places."""
    table = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    await session.execute(
        table.insert(LoginPlaceRow)
        .values(user_id=user_id, network=network, seen_at=now)
        .on_conflict_do_update(
            index_elements=[LoginPlaceRow.user_id, LoginPlaceRow.network], set_={"seen_at": now}
        )
    )
    of_user = LoginPlaceRow.user_id == user_id
    newest = (
        select(LoginPlaceRow.network)
        .where(of_user)
        .order_by(LoginPlaceRow.seen_at.desc(), LoginPlaceRow.network)
        .limit(most)
    )
    await session.execute(
        delete(LoginPlaceRow)
        .where(of_user, LoginPlaceRow.network.not_in(newest))
        .execution_options(synchronize_session=False)
    )


async def forget(session: AsyncSession, user_id: str) -> None:
    """Delete all places of a user."""
    await session.execute(
        delete(LoginPlaceRow)
        .where(LoginPlaceRow.user_id == user_id)
        .execution_options(synchronize_session=False)
    )
