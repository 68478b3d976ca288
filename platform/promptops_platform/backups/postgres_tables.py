"""Copies of PostgreSQL tables with COPY over our own connection, so that no program such as
`pg_dump`, in the server's version, is needed.

Only rows are copied. The schema is created by the migrations of the release that restores.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from promptops_platform.backups.archive import BackupError, TableCopy
from promptops_platform.db.engine import connect_postgres
from promptops_platform.db.location import PostgresUrl
from promptops_platform.db.schema import VERSION_TABLE

TABLES = """
    SELECT c.table_name, array_agg(c.column_name::text ORDER BY c.ordinal_position) AS columns
    FROM information_schema.columns c
    JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE table_schema = current_schema() AND t.table_type = 'BASE TABLE'
    GROUP BY 1 ORDER BY 1
"""
FUNCTIONS = """
    SELECT oid::regprocedure::text FROM pg_proc
    WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'promptops\\_%'
"""
SEQUENCES = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = current_schema() AND column_default LIKE 'nextval(%'
"""


async def copy_tables(location: PostgresUrl, folder: Path) -> tuple[str, dict[str, TableCopy]]:
    """Write each table to the folder, in one consistent snapshot. Writers aren't blocked. Returns
    the schema's revision, and what was copied."""
    connection = await connect_postgres(location, read_only=True)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            schema = await connection.fetchval(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608
            copies = {}
            for name, columns in await connection.fetch(TABLES):
                if name != VERSION_TABLE:
                    status = await connection.copy_from_table(
                        name, columns=columns, output=folder / name
                    )
                    copies[name] = TableCopy(_rows(status), tuple(columns))
            return schema, copies
    finally:
        await connection.close()


async def load_tables(
    connection: AsyncConnection, copies: Mapping[str, TableCopy], files: Mapping[str, Path]
) -> None:
    """Fill the empty tables of a new schema, within the connection's transaction. Raises
    BackupError if the backup does not match them."""
    ordered = await connection.run_sync(_tables_in_order)
    if unknown := copies.keys() - set(ordered):
        raise BackupError(f"the backup has a table {min(unknown)}, which its schema does not have")
    driver = await _driver(connection)
    # The rows that the migrations insert are in the copies, too.
    await driver.execute(f"TRUNCATE {_list(ordered)}")
    for name in ordered:
        if name in copies:
            status = await driver.copy_to_table(
                name, source=files[name], columns=copies[name].columns
            )
            if _rows(status) != copies[name].rows:
                raise BackupError(f"{name} has {_rows(status)} rows, not {copies[name].rows}")
    for table, column in await driver.fetch(SEQUENCES):
        await driver.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), "  # noqa: S608
            f'coalesce(max("{column}"), 0) + 1, false) FROM "{table}"'
        )


async def begin_new_feed(connection: AsyncConnection, epoch: str) -> None:
    """Give the change feed a new identity, and delete the replicas that followed the old one."""
    await connection.execute(text("UPDATE feed_state SET epoch = :epoch"), {"epoch": epoch})
    if await connection.run_sync(lambda sync: inspect(sync).has_table("replicas")):
        await connection.execute(text("DELETE FROM replicas"))


async def living_replicas(connection: AsyncConnection, seconds: float) -> int:
    """Return how many platforms have recently recorded that they serve this database."""
    if not await connection.run_sync(lambda sync: inspect(sync).has_table("replicas")):
        return 0
    query = "SELECT count(*) FROM replicas WHERE seen_at >= now() - make_interval(secs => :seconds)"
    return int(await connection.scalar(text(query), {"seconds": seconds}) or 0)


async def drop_everything(connection: AsyncConnection) -> None:
    """Remove the tables and functions of a registry, within the connection's transaction."""
    driver = await _driver(connection)
    names = [name for name, _ in await driver.fetch(TABLES)]
    if names:
        await driver.execute(f"DROP TABLE {_list(names)} CASCADE")
    for (signature,) in await driver.fetch(FUNCTIONS):
        await driver.execute(f"DROP FUNCTION {signature}")


def _tables_in_order(connection: Connection) -> list[str]:
    """Return the tables in an order in which referenced ones come first."""
    pairs = inspect(connection).get_sorted_table_and_fkc_names()
    return [name for name, _ in pairs if name is not None and name != VERSION_TABLE]


async def _driver(connection: AsyncConnection) -> Any:
    # SQLAlchemy begins its transaction with its first statement.
    await connection.execute(text("SELECT 1"))
    return (await connection.get_raw_connection()).driver_connection


def _list(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _rows(status: str) -> int:
    match = re.fullmatch(r"COPY (\d+)", status)
    assert match is not None, status
    return int(match[1])
