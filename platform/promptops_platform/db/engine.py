"""Connections to the registry database: one file for SQLite and PostgreSQL."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

# Longest wait for the write lock of another process, or for a free connection.
BUSY_SECONDS = 10
SQLITE_READERS = 4
POSTGRES_CONNECTIONS = 10


class Engines:
    """A `writer` and a `reader`.

    SQLite takes one writer at a time: its pool holds a single connection, so writers of this
    process queue in order instead of racing for the file lock, and each transaction starts as
    `BEGIN IMMEDIATE`, because a deferred one can't wait when it has to upgrade. PostgreSQL needs
    no such care, there both names mean one engine.
    """

    def __init__(self, url: str) -> None:
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        if self.is_sqlite:
            Path(make_url(url).database or "").absolute().parent.mkdir(parents=True, exist_ok=True)
            self.writer = _sqlite(url, size=1, begin="BEGIN IMMEDIATE")
            self.reader = _sqlite(url, size=SQLITE_READERS, begin="BEGIN")
        else:
            self.writer = self.reader = _postgres(url)

    async def dispose(self) -> None:
        """Close all connections."""
        await self.reader.dispose()
        await self.writer.dispose()


def _postgres(url: str) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=POSTGRES_CONNECTIONS,
        max_overflow=POSTGRES_CONNECTIONS,
        pool_timeout=BUSY_SECONDS,
        pool_pre_ping=True,
        connect_args={
            "timeout": BUSY_SECONDS,
            "server_settings": {"application_name": "promptops"},
        },
    )


def _sqlite(url: str, *, size: int, begin: str) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        # Transactions are begun below, not by the driver's own guesses.
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None},
    )
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    event.listen(engine.sync_engine, "begin", _begin_with(begin))
    return engine


def _set_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_with(statement: str) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return begin
