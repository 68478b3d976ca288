"""Prefect's SQLite file from outside: how large it is, and making what it holds older."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_BUSY_SECONDS = 60
_SHIFT = "datetime({0}, '-3 days')"


@dataclass(frozen=True)
class PrefectHistory:
    database: Path

    def size(self) -> int:
        """In bytes; what lies in the write-ahead log is moved into the file first."""
        with closing(sqlite3.connect(self.database, timeout=_BUSY_SECONDS)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self.database.stat().st_size

    def rows(self, table: str) -> int:
        with closing(sqlite3.connect(self.database, timeout=_BUSY_SECONDS)) as connection:
            (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            return int(count)

    def age(self, *, kept: int) -> None:
        """Let all runs but the `kept` newest, and all events, have happened three days ago."""
        newest = f"SELECT id FROM flow_run ORDER BY end_time DESC LIMIT {kept}"
        changes = {
            "flow_run": f"end_time = {_SHIFT.format('end_time')} WHERE id NOT IN ({newest})",
            "events": f"occurred = {_SHIFT.format('occurred')}",
            "event_resources": f"occurred = {_SHIFT.format('occurred')}",
        }
        with closing(sqlite3.connect(self.database, timeout=_BUSY_SECONDS)) as connection:
            for table, change in changes.items():
                connection.execute(f"UPDATE {table} SET {change}")
            connection.commit()
