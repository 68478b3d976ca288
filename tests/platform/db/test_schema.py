"""Migrations, and databases that are not ours to touch."""

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from harness.platform import DatabaseKind, new_settings
from harness.postgres import Postgres
from promptops_platform.db.schema import VERSION_TABLE, SchemaRefused, migrate
from promptops_platform.db.tables import Table
from promptops_platform.db.unit_of_work import Database


@pytest.fixture
async def database(database_kind: DatabaseKind, postgres: Postgres, data_folder: Path) -> Any:
    settings = await new_settings(database_kind, postgres, data_folder)
    database = Database(settings.registry)
    yield database
    await database.close()


async def execute(database: Database, *statements: str) -> None:
    async with database.engines.writer.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def tables(database: Database) -> set[str]:
    async with database.engines.reader.connect() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


async def test_an_upgrade_from_empty_equals_the_tables(database: Database) -> None:
    await migrate(database.engines)

    def differences(connection: Connection) -> list[Any]:
        options = {"version_table": VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, Table.metadata))

    async with database.engines.reader.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_second_migration_changes_nothing(database: Database) -> None:
    await migrate(database.engines)
    await execute(database, "INSERT INTO feed_state VALUES (1, 5, 'epoch')")
    await migrate(database.engines)
    async with database.engines.reader.connect() as connection:
        rows = await connection.execute(text("SELECT revision FROM feed_state"))
        assert rows.scalar_one() == 5


async def test_another_programs_database_is_refused_untouched(database: Database) -> None:
    await execute(database, "CREATE TABLE prompts (id INTEGER)", "INSERT INTO prompts VALUES (7)")
    with pytest.raises(SchemaRefused, match="did not make"):
        await migrate(database.engines)
    assert await tables(database) == {"prompts"}


async def test_another_alembic_programs_database_is_refused(database: Database) -> None:
    await execute(
        database,
        "CREATE TABLE alembic_version (version_num VARCHAR(32))",
        "INSERT INTO alembic_version VALUES ('0001')",
    )
    with pytest.raises(SchemaRefused, match="did not make"):
        await migrate(database.engines)
    assert await tables(database) == {"alembic_version"}


async def test_a_newer_releases_database_is_refused_untouched(database: Database) -> None:
    await migrate(database.engines)
    await execute(database, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    before = await tables(database)
    with pytest.raises(SchemaRefused, match="9999"):
        await migrate(database.engines)
    assert await tables(database) == before
