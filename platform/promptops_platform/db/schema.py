"""Brings a database to this program's schema, or refuses to touch it."""

from dataclasses import dataclass
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from promptops_platform.db.engine import Engines
from promptops_platform.db.location import SqliteFile

# A table name of our own tells our databases from those of other programs that use Alembic.
VERSION_TABLE = "promptops_schema"
MIGRATIONS = Path(__file__).parent / "migrations"
# Any number, the same in every process that migrates.
MIGRATION_LOCK = 7_305_818_242


class SchemaRefused(Exception):
    """The database is not ours, or newer than this program. It was not touched."""


class DatabaseNotUsable(Exception):
    """The database can't be opened; the text names it, the reason and the setting."""


async def migrate(engines: Engines) -> None:
    """Upgrade to the newest schema under a lock, in one transaction.

    Raises SchemaRefused for a database that other programs made or a newer release migrated, and
    DatabaseNotUsable for one that can't be opened.
    """
    try:
        _make_folder(engines)
        async with engines.writer.begin() as connection:
            await hold_lock(engines, connection)
            await connection.run_sync(_upgrade, str(engines.location))
    except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise _not_usable(engines, error) from error


def _not_usable(engines: Engines, error: Exception) -> DatabaseNotUsable:
    reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
    return DatabaseNotUsable(f"can't open {engines.location}: {reason.rpartition('>: ')[2]}")


@dataclass(frozen=True)
class SchemaState:
    """The schema of a database, None where it has none yet, and this program's."""

    current: str | None
    newest: str


async def schema_state(engines: Engines) -> SchemaState:
    """What `migrate` would find; raises as it does, and changes nothing."""
    try:
        async with engines.reader.connect() as connection:
            return await connection.run_sync(_state, str(engines.location))
    except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise _not_usable(engines, error) from error


async def hold_lock(engines: Engines, connection: AsyncConnection | AsyncSession) -> None:
    """Let nobody else migrate or seed until the transaction ends; SQLite's is exclusive anyway."""
    if not engines.is_sqlite:
        await connection.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK}
        )


def _make_folder(engines: Engines) -> None:
    if isinstance(engines.location, SqliteFile):
        path = engines.location.path.absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError("it is a folder")


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration for commands that run on an open connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection, where: str) -> None:
    state = _state(connection, where)
    if state.current != state.newest:
        command.upgrade(alembic_config(connection), "head")


def _state(connection: Connection, where: str) -> SchemaState:
    """Raises SchemaRefused."""
    scripts = ScriptDirectory.from_config(alembic_config(connection))
    newest = scripts.get_current_head() or ""
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return SchemaState(None, newest)
    if VERSION_TABLE not in tables:
        raise SchemaRefused(
            f"{where} holds tables that PromptOps did not make ({', '.join(sorted(tables)[:3])}); "
            "it was left untouched. Name another database, or move this one away."
        )
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    current = context.get_current_revision()
    if current is not None and current not in {each.revision for each in scripts.walk_revisions()}:
        raise SchemaRefused(
            f"{where} has schema {current}, which this release of PromptOps does not know; "
            "it was left untouched. Start a newer release."
        )
    return SchemaState(current, newest)
