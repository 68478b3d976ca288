"""Returns the disk space of what Prefect has deleted from its SQLite file.

SQLite keeps the pages of deleted rows for later use. In `incremental` mode it can also remove them
from the file, a few at a time, so that no write of Prefect waits for long.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

_INCREMENTAL = 2
# Pages of 4 KiB: fewer free ones than this are soon needed by the next runs.
_MOST_FREE_PAGES = 500
_PAGES_AT_ONCE = 250
_PERIOD_SECONDS = 300.0
_PAUSE_SECONDS = 0.05
_BUSY_SECONDS = 5.0

_log = logging.getLogger("prefect.server")


def make_shrinkable(database: Path) -> None:
    """Enable the mode, which rewrites the whole file once; call this while nobody has it open. If
    the disk has no room for that, the file is unchanged."""
    with closing(_connect(database)) as connection:
        if _number(connection, "auto_vacuum") == _INCREMENTAL:
            return
        try:
            connection.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
            connection.execute("VACUUM")
        except sqlite3.OperationalError as error:
            _log.warning("%s can't be made to shrink: %s", database, error)


def shrink(database: Path, most_free_pages: int = _MOST_FREE_PAGES) -> None:
    """Remove free pages until at most `most_free_pages` are left. Does nothing in another mode."""
    with closing(_connect(database)) as connection:
        while (free := _number(connection, "freelist_count")) > most_free_pages:
            # Not `execute`, which would run only the first step and remove one page.
            connection.executescript(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})")
            if _number(connection, "freelist_count") >= free:
                break
            time.sleep(_PAUSE_SECONDS)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def keep_small(database: Path, period_seconds: float = _PERIOD_SECONDS) -> None:
    """Shrink the file periodically on a thread, for the lifetime of the process."""
    thread = threading.Thread(
        target=_keep_small, args=(database, period_seconds), name="shrinking", daemon=True
    )
    thread.start()


def _keep_small(database: Path, period_seconds: float) -> None:
    while True:
        time.sleep(period_seconds)
        try:
            shrink(database)
        except sqlite3.Error as error:
            # A full disk, or a slow writer: the next attempt will succeed.
            _log.warning("%s was not shrunk: %s", database, error)


def _connect(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(database, timeout=_BUSY_SECONDS, isolation_level=None)


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    (value,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(value)
