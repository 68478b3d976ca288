"""Translates the errors of the drivers into the platform's own."""

import sqlite3
from collections.abc import Callable
from traceback import walk_tb
from types import TracebackType

import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from promptops_platform.db.driver_errors import postgres_errors
from promptops_platform.errors import (
    BadRequest,
    DatabaseDamaged,
    DatabaseNotWritable,
    DatabaseUnavailable,
)

log = structlog.get_logger(__name__)

# PostgreSQL's error classes that say "not now": connection, resources, operator intervention,
# system error, and a serialization failure or deadlock (SQLSTATE appendix of its manual).
TRANSIENT_SQLSTATES = ("08", "53", "57", "58", "40")
DATA_SQLSTATE = "22"
# data_corrupted and index_corrupted; disk_full and read_only_sql_transaction.
DAMAGED_SQLSTATES = frozenset({"XX001", "XX002"})
NOT_WRITABLE_SQLSTATES = frozenset({"53100", "25006"})
# SQLite's primary result codes, which are the lower byte of its extended ones.
PRIMARY_CODE = 0xFF
DAMAGED_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
# A full disk is SQLITE_FULL, or an I/O error where a file can't grow.
NOT_WRITABLE_CODES = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY})


class database_errors_translated:  # noqa: N801  reads as a statement
    """Turns the drivers' errors into DatabaseUnavailable and its kinds, and a value that PostgreSQL
    can't store into BadRequest. `when_unavailable` is called with the former."""

    def __init__(self, when_unavailable: Callable[[DatabaseUnavailable], None]) -> None:
        self._when_unavailable = when_unavailable

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        _type: object,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            return
        if isinstance(error, DBAPIError) and _sqlstate(error).startswith(DATA_SQLSTATE):
            raise BadRequest(f"the database can't store a value ({_reason(error)})") from error
        unavailable = _translated(error, traceback)
        if unavailable is not None:
            self._when_unavailable(unavailable)
            raise unavailable from error


def _translated(
    error: BaseException, traceback: TracebackType | None
) -> DatabaseUnavailable | None:
    """The error for the caller; None for one that is not about the database."""
    reason = _reason(error)
    if is_damage(error) or _is_unreadable_value(error, traceback):
        log.error("database_damaged", error=reason, remedy="restore it from a backup")
        return DatabaseDamaged(
            f"the database is damaged ({reason}); nothing was changed. Restore it from a backup"
        )
    if not is_unavailable(error):
        return None
    log.warning("database_unavailable", error=str(error).partition("\n")[0])
    if _is_not_writable(error):
        return DatabaseNotWritable(
            f"the database can't be written to ({reason}); nothing was changed. Make room on its "
            "disk, and try again"
        )
    return DatabaseUnavailable(
        f"the database is unavailable ({reason}); nothing was changed, try again"
    )


def is_unavailable(error: BaseException) -> bool:
    """Whether `error` means that the database is out of reach, locked, full or overloaded."""
    if isinstance(error, postgres_errors(PoolTimeout, OSError)):
        return True
    if not isinstance(error, DBAPIError) or isinstance(error, IntegrityError):
        return False
    sqlstate = _sqlstate(error)
    if sqlstate:
        return sqlstate.startswith(TRANSIENT_SQLSTATES) or sqlstate in NOT_WRITABLE_SQLSTATES
    # asyncpg's own connection errors carry no SQLSTATE; SQLite's OperationalError is locked, full,
    # read-only or an I/O error; the tests would show a wrong statement of ours.
    return isinstance(error, InterfaceError) or type(error).__name__ == "OperationalError"


def is_damage(error: BaseException) -> bool:
    """Whether `error` says that what is stored is damaged."""
    if not isinstance(error, DBAPIError):
        return False
    return _sqlite_code(error) in DAMAGED_CODES or _sqlstate(error) in DAMAGED_SQLSTATES


def _is_not_writable(error: BaseException) -> bool:
    if not isinstance(error, DBAPIError):
        return False
    return _sqlite_code(error) in NOT_WRITABLE_CODES or _sqlstate(error) in NOT_WRITABLE_SQLSTATES


def _is_unreadable_value(error: BaseException, traceback: TracebackType | None) -> bool:
    """Whether a stored value no longer fits the type of its column: SQLAlchemy passes on the
    ValueError of a type's conversion."""
    if not isinstance(error, ValueError):
        return False
    packages = [
        str(frame.f_globals.get("__name__", "")).partition(".")[0]
        for frame, _ in walk_tb(traceback)
    ]
    while packages and packages[-1] == "json":
        packages.pop()
    return packages[-1:] == ["sqlalchemy"]


def _sqlite_code(error: DBAPIError) -> int | None:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return None if code is None else code & PRIMARY_CODE


def _sqlstate(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _reason(error: BaseException) -> str:
    if isinstance(error, PoolTimeout):
        return "its connections are all busy, or the database is locked"
    original = getattr(error, "orig", None) or error
    return str(original).partition("\n")[0].rpartition(": ")[2] or type(original).__name__
