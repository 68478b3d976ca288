"""Transactions: one per request, committed before its answer is sent."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import structlog
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from promptops_platform.db.engine import Engines
from promptops_platform.db.failures import database_errors_translated
from promptops_platform.db.location import PostgresUrl, SqliteFile
from promptops_platform.db.tables import DatabaseIdentityRow
from promptops_platform.db.turns import WriterTurns
from promptops_platform.errors import DatabaseNotWritable, DatabaseUnavailable

log = structlog.get_logger(__name__)


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
        # Set by a write that found no room, or no right to write; cleared by `try_to_write`.
        self.is_writable = True
        self.turns = WriterTurns()

    @asynccontextmanager
    async def write(self, *, background: bool = False) -> AsyncIterator[Transaction]:
        """A transaction that is committed at the end of the block, or rolled back by an error.

        One of the `background` lets those that are open go first, where only one can write; its
        block must take a short time. Raises DatabaseUnavailable when the database can't answer now.
        """
        async with AsyncExitStack() as stack:
            if not background:
                stack.enter_context(self.turns.foreground())
            elif self.engines.is_sqlite:
                # PostgreSQL has many writers.
                await stack.enter_async_context(self.turns.background())
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

    async def try_to_write(self) -> None:
        """Find out whether what kept the last write from being made is over."""
        with suppress(DatabaseUnavailable):
            async with self.write() as transaction:
                # Which changes nothing, and is written all the same.
                await transaction.session.execute(
                    update(DatabaseIdentityRow).values(identity=DatabaseIdentityRow.identity)
                )
            self.is_writable = True

    def _count(self, error: DatabaseUnavailable) -> None:
        self.unavailable += 1
        if isinstance(error, DatabaseNotWritable):
            self.is_writable = False

    async def close(self) -> None:
        """Close all connections."""
        await self.engines.dispose()
