"""Connections to the registry database: one file for SQLite and PostgreSQL."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, event
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import PoolResetState

from promptops_platform.db.location import PostgresUrl, SqliteFile
from promptops_platform.db.sqlite_connection import connect_sqlite

# Longest wait for the write lock of another process, or for a free connection.
BUSY_SECONDS = 10
SQLITE_READERS = 4
POSTGRES_CONNECTIONS = 10


class Engines:
    """A `writer` and a `reader`.

    SQLite takes one writer at a time: its pool holds a single connection, so writers of this
    process queue in order instead of racing for the file lock, and each transaction starts as
    `BEGIN IMMEDIATE`, because a deferred one can't wait when it has to upgrade. On
    PostgreSQL both names mean one engine. With `read_only` nothing is written, not even by opening
    the database.
    """

    def __init__(self, location: SqliteFile | PostgresUrl, *, read_only: bool = False) -> None:
        self.location = location
        if isinstance(location, SqliteFile) and read_only:
            self.is_sqlite = True
            self.writer = self.reader = _sqlite_to_read(location)
        elif isinstance(location, SqliteFile):
            self.is_sqlite = True
            self.writer = _sqlite(location, size=1, begin="BEGIN IMMEDIATE")
            self.reader = _sqlite(location, size=SQLITE_READERS, begin="BEGIN")
        else:
            self.is_sqlite = False
            self.writer = self.reader = _postgres(location, read_only=read_only)

    async def dispose(self) -> None:
        """Close all connections."""
        await self.reader.dispose()
        await self.writer.dispose()


async def connect_postgres(location: PostgresUrl, *, read_only: bool = False) -> Any:
    """A driver's connection; asyncpg parses the URL, so it means the same as in psql."""
    import asyncpg  # noqa: PLC0415  on SQLite nothing needs it

    limits = {"default_transaction_read_only": "on"} if read_only else {}
    return await asyncpg.connect(
        location.url,
        timeout=BUSY_SECONDS,
        server_settings={"application_name": "promptops", **limits},
    )


def _postgres(location: PostgresUrl, *, read_only: bool) -> AsyncEngine:
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: connect_postgres(location, read_only=read_only),
        pool_size=POSTGRES_CONNECTIONS,
        max_overflow=POSTGRES_CONNECTIONS,
        pool_timeout=BUSY_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
    )


def _sqlite(location: SqliteFile, *, size: int, begin: str) -> AsyncEngine:
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(location.path)),
        pool_size=size,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        hide_parameters=True,
        # The listeners below begin transactions; the driver must not.
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None},
    )
    event.listen(engine.sync_engine, "do_connect", connect_sqlite)
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    event.listen(engine.sync_engine, "begin", _begin_with(begin))
    event.listen(engine.sync_engine, "reset", _end_transaction)
    return engine


def _sqlite_to_read(location: SqliteFile) -> AsyncEngine:
    """SQLite creates files beside a database that it reads, unless it is opened as immutable. Where
    those files exist already, another process may be writing."""
    path = location.path.absolute()
    in_use = path.with_name(f"{path.name}-wal").exists()
    modes = {"mode": "ro", "uri": "true", **({} if in_use else {"immutable": "1"})}
    database = f"file:{quote(str(path))}"
    return create_async_engine(
        URL.create("sqlite+aiosqlite", database=database, query=modes),
        pool_size=1,
        pool_timeout=BUSY_SECONDS,
        hide_parameters=True,
    )


def _set_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _end_transaction(connection: Any, _record: object, state: PoolResetState) -> None:
    """A COMMIT that fails leaves SQLite's transaction open, with its lock; SQLAlchemy considers
    it ended and would return the connection to the pool with it."""
    if state.asyncio_safe and connection.driver_connection.in_transaction:
        connection.rollback()


def _begin_with(statement: str) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return begin
