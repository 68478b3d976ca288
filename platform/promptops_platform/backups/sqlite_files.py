"""Copies of SQLite files, made while others write to them."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from promptops_platform.backups.archive import BackupError, TableCopy

T = TypeVar("T")
BUSY_SECONDS = 30.0
FEED_EPOCH = "UPDATE feed_state SET epoch = ?"


def copy_file(source: Path, target: Path) -> None:
    """Copy a consistent snapshot of the database. Writers aren't blocked. Raises BackupError for a
    damaged one."""
    address = f"file:{quote(str(source.absolute()))}?mode=rw"
    try:
        with (
            closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            # All pages in one step: it reads one state of the file and never starts over.
            reading.backup(writing, pages=-1)
            # The copy is one file, without a log beside it.
            writing.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise BackupError(f"can't copy {source}: {error}") from error


def check_file(path: Path, name: str) -> None:
    """Raises BackupError unless the whole file is intact. `name` is the name for messages."""
    _query(path, name, _check)


def count_rows(path: Path, name: str) -> dict[str, TableCopy]:
    """Return the number of rows of each table. Raises BackupError."""
    return _query(path, name, _count)


def begin_new_feed(path: Path, epoch: str) -> None:
    """Give the change feed of a registry a new identity, so that followers fetch everything
    again."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(FEED_EPOCH, (epoch,))


def _query(path: Path, name: str, query: Callable[[sqlite3.Connection], T]) -> T:
    try:
        with closing(sqlite3.connect(path)) as connection:
            return query(connection)
    except sqlite3.Error as error:
        raise BackupError(f"{name} is damaged: {error}") from error


def _check(connection: sqlite3.Connection) -> None:
    (result,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if result != "ok":
        raise sqlite3.DatabaseError(str(result).partition("\n")[0])
    orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
    if orphan is not None:
        raise sqlite3.DatabaseError(f"a row of {orphan[0]} refers to one that is missing")


def _count(connection: sqlite3.Connection) -> dict[str, TableCopy]:
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    tables = connection.execute(query).fetchall()
    # A full-text index has its own tables, which contain no data.
    indexes = tuple(name for name, sql in tables if sql.startswith("CREATE VIRTUAL"))
    counts = {}
    for name, _ in tables:
        if not name.startswith(indexes):
            (rows,) = connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()  # noqa: S608
            counts[name] = TableCopy(rows)
    return counts
