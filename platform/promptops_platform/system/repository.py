"""SQL about the database itself."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.schema import VERSION_TABLE

SIZE = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}


async def schema(session: AsyncSession) -> str | None:
    """Return the revision of the schema."""
    version: str | None = await session.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608
    return version


async def size(session: AsyncSession) -> int:
    """Return the size on disk in bytes, without the write-ahead log."""
    return int(await session.scalar(text(SIZE[session.get_bind().dialect.name])) or 0)
