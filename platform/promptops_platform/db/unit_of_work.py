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
    """An open transaction. Services add callbacks for right before and after its commit."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.notes: dict[object, Any] = {}
        self._before: list[Callable[[], Awaitable[None]]] = []
        self._last: list[Callable[[], Awaitable[None]]] = []
        self._after: list[Callable[[], Awaitable[None]]] = []

    def before_commit(self, callback: Callable[[], Awaitable[None]], *, last: bool = False) -> None:
        """Run `callback` inside the transaction, as its last statements.

        Callbacks that lock rows which every writer needs must run in one order, or two writers
        deadlock: that of the change feed runs `last`.
        """
        (self._last if last else self._before).append(callback)

    def after_commit(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Run `callback` once the commit has succeeded."""
        self._after.append(callback)

    async def commit(self) -> None:
        """Commit; afterwards the change is stored, so a failing callback is logged, not raised."""
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
        # Failures to answer, since the start.
        self.unavailable = 0
        # False after a write that found no space or no permission; `try_to_write` sets it again.
        self.is_writable = True
        self.turns = WriterTurns()

    @asynccontextmanager
    async def write(self, *, background: bool = False) -> AsyncIterator[Transaction]:
        """A transaction that is committed at the end of the block, or rolled back by an error.

        With `background`, open transactions go first where the database has a single writer; the
        block must be short. Raises DatabaseUnavailable when the database can't answer now.
        """
        async with AsyncExitStack() as stack:
            if not background:
                stack.enter_context(self.turns.foreground())
            elif self.engines.is_sqlite:
                # PostgreSQL has many writers.
                await stack.enter_async_context(self.turns.background())
            with database_errors_translated(self._note_failure):
                async with AsyncSession(self.engines.writer, expire_on_commit=False) as session:
                    transaction = Transaction(session)
                    yield transaction
                    await transaction.commit()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """A transaction for queries only.

        Raises DatabaseUnavailable when the database can't answer now.
        """
        with database_errors_translated(self._note_failure):
            async with AsyncSession(self.engines.reader, expire_on_commit=False) as session:
                yield Transaction(session)

    async def try_to_write(self) -> None:
        """Check whether the database can be written to again."""
        with suppress(DatabaseUnavailable):
            async with self.write() as transaction:
                # Changes nothing, but is a write.
                await transaction.session.execute(
                    update(DatabaseIdentityRow).values(identity=DatabaseIdentityRow.identity)
                )
            self.is_writable = True

    def _note_failure(self, error: DatabaseUnavailable) -> None:
        self.unavailable += 1
        if isinstance(error, DatabaseNotWritable):
            self.is_writable = False

    async def close(self) -> None:
        """Close all connections."""
        await self.engines.dispose()
