"""Brings a database to this program's schema, or refuses to touch it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from promptops_platform.db.driver_errors import postgres_errors
from promptops_platform.db.engine import Engines
from promptops_platform.db.location import SqliteFile
from promptops_platform.spared_imports import import_without_colours

# Our own table name distinguishes our databases from those of other programs with Alembic.
VERSION_TABLE = "promptops_schema"
MIGRATIONS = Path(__file__).parent / "migrations"
# Tables of the server that this one replaces; it stored no version of its schema.
OLDER_TABLES = frozenset({"users", "workspaces", "agents", "workflows"})
LEAST_OLDER_TABLES = 2
# SQLite needs this much for its log before it can store anything.
LEAST_FREE_BYTES = 1024 * 1024
# Any number, the same in every process that migrates.
MIGRATION_LOCK = 7_305_818_242


class SchemaRefused(Exception):
    """The database is not ours, or newer than this program. It was not touched."""


class DatabaseNotUsable(Exception):
    """The database can't be opened; the text names it, the reason and the setting."""


class DatabaseMissing(Exception):
    """There is no database, or an empty one, where one was expected; the text says which of the
    two. Nothing was created."""


async def migrate(engines: Engines, *, must_exist: bool = False) -> None:
    """Upgrade to the newest schema under a lock, in one transaction.

    Raises SchemaRefused for a database that other programs made or a newer release migrated,
    DatabaseNotUsable for one that can't be opened, and DatabaseMissing where `must_exist` says that
    there is one. None of them changes a byte of it.
    """
    try:
        await _look_first(engines, must_exist=must_exist)
        async with engines.writer.begin() as connection:
            await lock_migrations(engines, connection)
            await connection.run_sync(_upgrade, str(engines.location), must_exist)
    except postgres_errors(SQLAlchemyError, OSError) as error:
        raise _not_usable(engines, error) from error


def _not_usable(engines: Engines, error: Exception) -> DatabaseNotUsable:
    reason = str(getattr(error, "orig", None) or error).partition("\n")[0].rpartition(">: ")[2]
    if isinstance(engines.location, SqliteFile):
        remedy = "put it back from a backup, or name another one in PROMPTOPS_DB"
        if shutil.disk_usage(existing_folder(engines.location.path)).free < LEAST_FREE_BYTES:
            remedy = "make room on its disk, which is full"
    else:
        remedy = "start the database, or correct PROMPTOPS_DATABASE_URL"
    return DatabaseNotUsable(f"can't open {engines.location}: {reason}; {remedy}")


def existing_folder(path: Path) -> Path:
    """The nearest existing folder above a path."""
    return next(folder for folder in path.absolute().parents if folder.is_dir())


@dataclass(frozen=True)
class SchemaState:
    """The schema of a database, None where it has none yet, and this program's."""

    current: str | None
    newest: str


async def schema_state(engines: Engines) -> SchemaState:
    """What `migrate` would find; raises like it, and changes nothing."""
    try:
        async with engines.reader.connect() as connection:
            return await connection.run_sync(_state, str(engines.location))
    except postgres_errors(SQLAlchemyError, OSError) as error:
        raise _not_usable(engines, error) from error


async def lock_migrations(engines: Engines, connection: AsyncConnection | AsyncSession) -> None:
    """Block other migrations until the transaction ends; that of SQLite is exclusive anyway."""
    if not engines.is_sqlite:
        await connection.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK}
        )


async def _look_first(engines: Engines, *, must_exist: bool) -> None:
    """Opening a SQLite file for writing already changes it, and deletes the log of a database that
    is missing: so this looks at it first, read-only."""
    if not isinstance(engines.location, SqliteFile):
        return
    path = engines.location.path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():
        raise IsADirectoryError("it is not a file")
    if path.exists() and path.stat().st_size:
        reading = Engines(engines.location, read_only=True)
        try:
            await schema_state(reading)
        finally:
            await reading.dispose()
        return
    if must_exist:
        state = "is empty" if path.exists() else "is missing"
        raise DatabaseMissing(f"{engines.location} {state}")
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise DatabaseNotUsable(
            f"{engines.location} is missing or empty, but its write-ahead log {log} exists; put "
            "the database back beside it, or remove the log to begin with a new one"
        )


def revisions() -> list[str]:
    """The schemas of this program, oldest first; a file of a migration begins with its own."""
    return sorted(path.name.partition("_")[0] for path in MIGRATIONS.glob("versions/[0-9]*.py"))


def _upgrade(connection: Connection, where: str, must_exist: bool) -> None:
    state = _state(connection, where)
    if must_exist and state.current is None:
        raise DatabaseMissing(f"{where} is empty")
    if state.current != state.newest:
        # Loaded only when it is needed: Alembic takes several megabytes.
        alembic = import_without_colours("promptops_platform.db.alembic_commands")
        alembic.upgrade(connection, state.newest)


def _state(connection: Connection, where: str) -> SchemaState:
    """Raises SchemaRefused."""
    program_revisions = revisions()
    newest = program_revisions[-1]
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return SchemaState(None, newest)
    if VERSION_TABLE not in tables and _is_of_an_older_server(tables):
        raise SchemaRefused(
            f"{where} is the database of an older PromptOps server, which this release does not "
            "open; it was left untouched. Choose another data folder in PROMPTOPS_DATA, or another "
            "file in PROMPTOPS_DB, keep this one for the older server, and take its contents over "
            "from there: promptops import promptops URL"
        )
    if VERSION_TABLE not in tables:
        raise SchemaRefused(
            f"{where} has tables that PromptOps did not make ({', '.join(sorted(tables)[:3])}); "
            "it was left untouched. Name another database, or move this one away."
        )
    current = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608
    if current is not None and current not in program_revisions:
        raise SchemaRefused(
            f"{where} has schema {current}, which this release of PromptOps does not know; "
            "it was left untouched. Start a newer release."
        )
    return SchemaState(current, newest)


def _is_of_an_older_server(tables: set[str]) -> bool:
    has_alembic = "alembic_version" in tables
    return (
        not has_alembic and "prompts" in tables and len(tables & OLDER_TABLES) >= LEAST_OLDER_TABLES
    )
