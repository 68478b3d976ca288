"""The id of a database, which stays the same when it is moved or restored."""

from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.tables import DatabaseIdentityRow


async def ensure_identity(session: AsyncSession, identity: str) -> str:
    """The id of this database, which becomes `identity` where it has none yet."""
    row = await session.get(DatabaseIdentityRow, 1)
    if row is None:
        row = DatabaseIdentityRow(id=1, identity=identity)
        session.add(row)
        await session.flush()
    return row.identity
