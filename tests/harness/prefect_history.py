"""Prefect's SQLite file from outside: its size, and functions that multiply and age its content."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_BUSY_SECONDS = 60
# The tables that Prefect writes for a run, and their columns with ids of these rows.
_OF_RUNS = (
    *("flow_run", "flow_run_state", "task_run", "task_run_state"),
    *("log", "artifact", "events", "event_resources"),
)
_IDS = frozenset(
    (
        *("id", "flow_run_id", "task_run_id", "state_id", "parent_task_run_id", "event_id"),
        "idempotency_key",
    )
)
_SHIFT = "datetime({0}, '-3 days')"


@dataclass(frozen=True)
class PrefectHistory:
    database: Path

    def size(self) -> int:
        """In bytes; the write-ahead log is moved into the file first."""
        with closing(sqlite3.connect(self.database, timeout=_BUSY_SECONDS)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self.database.stat().st_size

    def rows(self, table: str, where: str = "true") -> int:
        with closing(sqlite3.connect(self.database, timeout=_BUSY_SECONDS)) as connection:
            query = f"SELECT count(*) FROM {table} WHERE {where}"
            (count,) = connection.execute(query).fetchone()
            return int(count)

    def is_written(self, runs: int, steps: int) -> bool:
        """Whether so many runs and steps have ended, with their last events."""
        return (
            self.rows("flow_run", "state_type = 'COMPLETED'") == runs
            and self.rows("task_run", "state_type = 'COMPLETED'") == steps
            and self.rows("events", "event = 'prefect.flow-run.Completed'") == runs
            and self.rows("events", "event = 'prefect.task-run.Completed'") == steps
        )

    def multiply(self, times: int) -> None:
        """Copy each run so many times, with everything that belongs to it."""
        with closing(sqlite3.connect(self.database, timeout=_BUSY_SECONDS)) as connection:
            for table in _OF_RUNS:
                rows = connection.execute(f"PRAGMA table_info({table})").fetchall()
                names = [row[1] for row in rows]
                # The last digits of a random id are replaced by the number of the copy.
                copied = [
                    f"substr({name}, 1, 32) || printf('%04x', n)" if name in _IDS else name
                    for name in names
                ]
                connection.execute(
                    f"WITH RECURSIVE numbers (n) AS "
                    f"(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {times - 1}) "
                    f"INSERT INTO {table} ({', '.join(names)}) "
                    f"SELECT {', '.join(copied)} FROM {table}, numbers"
                )
            connection.commit()

    def age(self, *, kept: int) -> None:
        """Move all runs but the `kept` newest, and all events, three days into the past."""
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
