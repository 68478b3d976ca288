"""SQLite's connections, which run a statement in one turn of their thread.

SQLAlchemy's own cursor makes four: for the driver's cursor, the statement, its rows and the end.
Each costs about as much as a small query, and a wait for the thread and for the loop.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
)


def connect_sqlite(dialect: Any, _record: object, arguments: Any, options: Any) -> Any:
    """For SQLAlchemy's `do_connect`."""
    made = dialect.connect(*arguments, **options)
    return _Connection(made.dbapi, made.driver_connection)


class _Connection(AsyncAdapt_aiosqlite_connection):
    __slots__ = ()

    def cursor(self, server_side: bool = False) -> AsyncAdapt_aiosqlite_cursor:
        return super().cursor(server_side) if server_side else _Cursor(self)


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    __slots__ = ()

    def execute(self, operation: Any, parameters: Any = None) -> None:
        def run(cursor: sqlite3.Cursor) -> Sequence[Any]:
            cursor.execute(operation, () if parameters is None else parameters)
            return cursor.fetchall() if cursor.description else ()

        self._in_the_thread(run)

    def executemany(self, operation: Any, seq_of_parameters: Any) -> None:
        def run(cursor: sqlite3.Cursor) -> Sequence[Any]:
            cursor.executemany(operation, seq_of_parameters)
            return ()

        self._in_the_thread(run)

    def _in_the_thread(self, run: Callable[[sqlite3.Cursor], Sequence[Any]]) -> None:
        connection: Any = self._connection

        def run_and_close() -> tuple[sqlite3.Cursor, Sequence[Any]]:
            cursor = connection._conn.cursor()
            try:
                return cursor, run(cursor)
            finally:
                cursor.close()

        try:
            cursor, rows = self.await_(connection._execute(run_and_close))
        except ValueError as error:
            self._adapt_connection._handle_exception(error)
        self.description = cursor.description
        self.lastrowid = -1 if cursor.description else cursor.lastrowid
        self.rowcount = -1 if cursor.description else cursor.rowcount
        self._rows = deque(rows)
