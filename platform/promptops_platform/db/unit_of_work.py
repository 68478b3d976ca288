"""Transactions: one per request, committed before its answer is sent."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.engine import Engines
from promptops_platform.db.location import PostgresUrl, SqliteFile
from promptops_platform.errors import BadRequest, DatabaseUnavailable

log = structlog.get_logger(__name__)

# PostgreSQL's error classes that say "not now": connection, resources, operator intervention,
# system error, and a serialization failure or deadlock (SQLSTATE appendix of its manual).
TRANSIENT_SQLSTATES = ("08", "53", "57", "58", "40")
DATA_SQLSTATE = "22"


class Transaction:
    """An open transaction. Services add what shall happen right before and after its commit."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.notes: dict[object, Any] = {}
        self._before: list[Callable[[], Awaitable[None]]] = []
        self._last: list[Callable[[], Awaitable[None]]] = []
        self._after: list[Callable[[], Awaitable[None]]] = []

    def before_commit(self, callback: Callable[[], Awaitable[None]], *, last: bool = False) -> None:
        """Run `callback` inside the transaction, as its last statements.

        Those that take rows which every writer wants must run in one order, or two writers wait
        for each other: the change feed's comes `last`.
        """
        (self._last if last else self._before).append(callback)

    def after_commit(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Run `callback` once the commit has succeeded."""
        self._after.append(callback)

    async def commit(self) -> None:
        """Commit; afterwards the change stands, so a failing callback is logged, not raised."""
        for callback in (*self._before, *self._last):
            await callback()
        await self.session.commit()
        for callback in self._after:
            try:
                await callback()
            except Exception:
                log.exception("after_commit_failed")


class Database:
    """The registry database."""

    def __init__(self, location: SqliteFile | PostgresUrl, *, read_only: bool = False) -> None:
        self.engines = Engines(location, read_only=read_only)
        # How often it could not answer, since the start.
        self.unavailable = 0

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """A transaction that is committed at the end of the block, or rolled back by an error.

        Raises DatabaseUnavailable when the database can't answer now.
        """
        with database_errors_translated(self._count):
            async with AsyncSession(self.engines.writer, expire_on_commit=False) as session:
                transaction = Transaction(session)
                yield transaction
                await transaction.commit()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """A transaction for queries only.

        Raises DatabaseUnavailable when the database can't answer now.
        """
        with database_errors_translated(self._count):
            async with AsyncSession(self.engines.reader, expire_on_commit=False) as session:
                yield Transaction(session)

    def _count(self) -> None:
        self.unavailable += 1

    async def close(self) -> None:
        """Close all connections."""
        await self.engines.dispose()


class database_errors_translated:  # noqa: N801  reads as a statement
    """Turns the drivers' "not now" errors into DatabaseUnavailable, and a value that PostgreSQL
    can't hold into BadRequest. `when_unavailable` is told of the former."""

    def __init__(self, when_unavailable: Callable[[], None]) -> None:
        self._when_unavailable = when_unavailable

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, DBAPIError) and _sqlstate(error).startswith(DATA_SQLSTATE):
            raise BadRequest(f"the database can't hold a value ({_reason(error)})") from error
        if error is not None and is_unavailable(error):
            self._when_unavailable()
            log.warning("database_unavailable", error=str(error).partition("\n")[0])
            raise DatabaseUnavailable(
                f"the database can't take this now ({_reason(error)}); nothing was changed, "
                "try again",
            ) from error


def is_unavailable(error: BaseException) -> bool:
    """Whether `error` means that the database is out of reach, locked, full or overloaded."""
    # SQLAlchemy does not wrap asyncpg's own errors when a connection is opened.
    if isinstance(error, PoolTimeout | OSError | asyncpg.PostgresError | asyncpg.InterfaceError):
        return True
    if not isinstance(error, DBAPIError) or isinstance(error, IntegrityError):
        return False
    sqlstate = _sqlstate(error)
    if sqlstate:
        return sqlstate.startswith(TRANSIENT_SQLSTATES)
    # asyncpg's own connection errors carry no SQLSTATE; SQLite's OperationalError is locked, full,
    # read-only or an I/O error, never a wrong statement of ours once the tests have passed.
    return isinstance(error, InterfaceError) or type(error).__name__ == "OperationalError"


def _sqlstate(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _reason(error: BaseException) -> str:
    if isinstance(error, PoolTimeout):
        return "its connections are all busy, or the database is locked"
    original = getattr(error, "orig", None) or error
    return str(original).partition("\n")[0].rpartition(": ")[2] or type(original).__name__
