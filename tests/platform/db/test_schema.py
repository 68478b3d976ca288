"""Migrations, and databases that are not ours to touch."""

import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, bindparam, inspect, select, text

from harness.platform import DatabaseKind, new_settings
from harness.postgres import Postgres
from promptops_platform.access.actor import STATIC_TOKEN
from promptops_platform.access.grants import Grants
from promptops_platform.access.key_repository import key_credentials
from promptops_platform.clock import SystemClock
from promptops_platform.db.run_tables import RunRow
from promptops_platform.db.schema import VERSION_TABLE, SchemaRefused, alembic_config, migrate
from promptops_platform.db.search import is_declared
from promptops_platform.db.tables import (
    ApiKeyRow,
    AuditCountRow,
    EnvironmentRow,
    Table,
    WorkspaceRow,
)
from promptops_platform.db.types import UtcDateTime
from promptops_platform.db.unit_of_work import Database
from promptops_platform.prompts import search
from promptops_platform.prompts.schemas import PromptFilter
from promptops_platform.runs.repository import counted
from promptops_platform.runs.statistics import RunStatistics, StatsFilter

MOMENT = bindparam("now", type_=UtcDateTime())


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
        options = {
            "version_table": VERSION_TABLE,
            "compare_type": True,
            "include_name": is_declared,
        }
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


async def test_prompts_and_entries_of_an_older_release_are_found_and_counted(
    database: Database,
) -> None:
    async with database.engines.writer.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(alembic_config(sync), "0001"))
        now = {"now": datetime(2026, 1, 1, tzinfo=UTC)}
        when = bindparam("now", type_=UtcDateTime())
        for statement in (
            "INSERT INTO workspaces VALUES ('w', 'w', 'w', :now)",
            "INSERT INTO prompts VALUES ('p', 'w', 'Key', 'Name', 'Straße', 'v1', 'staging', 'c',"
            " ' A b,', 'm', NULL, :now, :now)",
            "INSERT INTO audit_entries VALUES (1, NULL, 'a', 'a', 'a', 'a', 'a', 'a', :now)",
            "INSERT INTO audit_entries VALUES (2, 'w', 'a', 'a', 'a', 'a', 'a', 'a', :now)",
        ):
            await connection.execute(text(statement).bindparams(when), now)
    await migrate(database.engines)
    async with database.read() as transaction:
        session = transaction.session
        for wanted in (
            PromptFilter(text="STRASSE"),
            PromptFilter(text="ß"),
            PromptFilter(tag="ab", env="staging"),
        ):
            found = await search.page(session, wanted, limit=10, offset=0)
            assert [row.key for row, *_ in found.rows] == ["Key"], wanted
        totals = await session.execute(select(AuditCountRow.scope, AuditCountRow.total))
        assert sorted(totals.tuples()) == [("", 1), ("w", 1)]
        environments = await session.scalars(
            select(EnvironmentRow.name).order_by(EnvironmentRow.position)
        )
        assert list(environments) == ["dev", "test", "prod", "staging"]
        marked = await session.scalars(select(WorkspaceRow.implicit_lookup))
        assert list(marked) == [True], "clients may rely on it"


async def test_runs_of_an_older_release_are_of_the_environment_of_their_prompt(
    database: Database,
) -> None:
    prompt = '"prompt": {"env": "dev"}'
    inputs = {
        "of dev": f"{{{prompt}}}",
        "of a conversation": f'{{{prompt}, "conversation_id": "c"}}',
        "of nothing": '{"variables": {"prompt": {"env": "dev"}}}',
        "not kept": None,
    }
    async with database.engines.writer.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(alembic_config(sync), "0009"))
        insert = text(
            "INSERT INTO runs (id, workspace_id, source, ref_key, inputs, provider, model,"
            " prompt_tokens, output_tokens, latency_ms, status, error, output, instance,"
            " created_at) VALUES (:id, 'w', 'agent', 'k', :inputs, '', '', 0, 0, 0, 'ok', '',"
            " '', 'i', :now)"
        ).bindparams(MOMENT)
        for name, value in inputs.items():
            now = datetime(2026, 1, 1, tzinfo=UTC)
            await connection.execute(insert, {"id": name, "inputs": value, "now": now})
    await migrate(database.engines)
    async with database.read() as transaction:
        rows = await transaction.session.execute(select(RunRow.id, RunRow.scope))
    assert dict(rows.tuples().all()) == dict.fromkeys(inputs) | {"of dev": "env:dev"}


async def test_names_of_an_older_release_are_found_in_both_forms(database: Database) -> None:
    name = "größe-한국"
    old = unicodedata.normalize("NFD", name)
    async with database.engines.writer.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(alembic_config(sync), "0015"))
        when = {
            "now": datetime(2026, 1, 1, tzinfo=UTC),
            "old": old,
            "both": f"{old},{name}",
            "folded": old.casefold(),
            "composed": name.casefold(),
        }
        for statement in (
            "INSERT INTO workspaces (id, name, slug, visibility, created_at)"
            " VALUES ('w', 'w', 'w', 'open', :now)",
            "INSERT INTO prompts (id, workspace_id, key, name, content, version, env, category,"
            " tags, model, kind, messages, config, revision, updated_by, created_at, updated_at)"
            " VALUES ('p', 'w', 'k', :old, :old, 'v1', 'dev', :old, :both, '', 'text', '[]', '{}',"
            " 1, '', :now, :now)",
            "INSERT INTO prompt_search (prompt_id, workspace_id, env, category, updated_at, text)"
            " VALUES ('p', 'w', 'dev', :old, :now, :folded)",
            "INSERT INTO prompt_tags (prompt_id, tag, workspace_id, env, category, updated_at)"
            " VALUES ('p', :folded, 'w', 'dev', :old, :now),"
            " ('p', :composed, 'w', 'dev', :old, :now)",
        ):
            await connection.execute(text(statement).bindparams(MOMENT), when)
    await migrate(database.engines)
    async with database.read() as transaction:
        for wanted in (
            PromptFilter(text=name),
            PromptFilter(text=old),
            PromptFilter(category=name),
            PromptFilter(tag=name),
            PromptFilter(tag=old, category=name, text=name),
        ):
            found = await search.page(transaction.session, wanted, limit=10, offset=0)
            assert [(row.name, row.content) for row, *_ in found.rows] == [(name, old)], wanted


async def test_keys_of_an_older_release_have_the_maker_that_is_certain(database: Database) -> None:
    async with database.engines.writer.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(alembic_config(sync), "0007"))
        for day, name in enumerate(("admin", "ada", "late"), start=1):
            when = datetime(2026, 1, 1 if name != "late" else 20, tzinfo=UTC)
            statement = "INSERT INTO users VALUES (:id, :name, '', false, 'admin', :now)"
            values = {"id": f"u{day}", "name": name, "now": when}
            await connection.execute(text(statement).bindparams(MOMENT), values)
        makers = ("admin", "ada", "late", "gone", "command line", "key k1", "key k5", "key twice")
        makers += ("ada", "ada")
        for number, maker in enumerate(makers):
            values = {
                "id": f"k{number}",
                "name": "twice" if number in {0, 3} else f"k{number}",
                "maker": maker,
                "now": datetime(2026, 1, 2 + number, tzinfo=UTC),
            }
            statement = (
                "INSERT INTO api_keys (id, name, prefix, token_hash, role, environments,"
                " created_by, created_at) VALUES (:id, :name, '', :id, 'admin', '[]', :maker, :now)"
            )
            await connection.execute(text(statement).bindparams(MOMENT), values)
    await migrate(database.engines)
    async with database.read() as transaction:
        keys = await key_credentials(transaction.session, datetime(2026, 2, 1, tzinfo=UTC))
        assert len(keys) == len(makers), "all of them work"
        columns = (ApiKeyRow.id, ApiKeyRow.maker_kind, ApiKeyRow.maker_id, ApiKeyRow.owner_id)
        rows = await transaction.session.execute(select(*columns))
    assert {row.id: tuple(row)[1:] for row in rows} == {
        "k0": ("unknown", None, None),
        "k1": ("user", "u2", "u2"),
        "k2": ("unknown", None, None),
        "k3": ("unknown", None, None),
        "k4": ("command line", None, None),
        "k5": ("key", "k1", "u2"),
        "k6": ("key", "k5", "u2"),
        "k7": ("unknown", None, None),
        "k8": ("user", "u2", "u2"),
        "k9": ("user", "u2", "u2"),
    }


async def test_runs_of_an_older_release_are_counted_and_summed_up(database: Database) -> None:
    async with database.engines.writer.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(alembic_config(sync), "0003"))
        insert = text(
            "INSERT INTO runs (id, workspace_id, source, ref_key, provider, model, prompt_tokens,"
            " output_tokens, latency_ms, status, error, output, instance, created_at) VALUES"
            " (:id, 'w', 'workflow', :key, :provider, :model, :tokens, 2, :latency, :status, '',"
            " '', 'i', :now)"
        ).bindparams(bindparam("now", type_=UtcDateTime()))
        for number in range(6):
            values = {
                "id": f"r{number}",
                "key": "a" if number < 4 else "b",
                "provider": "mock" if number else "",
                "model": "m" * (500 if number == 1 else 1) if number else "",
                "tokens": 10 * number,
                "latency": 100 * number,
                "status": ("ok", "error", "ok", "ok", "ok", "running")[number],
                "now": datetime(2026, 1, 1, number, 30, tzinfo=UTC),
            }
            await connection.execute(insert, values)
    await migrate(database.engines)
    statistics = RunStatistics(Grants(database), SystemClock())
    async with database.read() as transaction:
        assert await counted(transaction.session, ["w"]) == 5
        for wanted, runs in (
            (StatsFilter(), (0, 1, 2, 3, 4)),
            (StatsFilter(key="a"), (0, 1, 2, 3)),
            (StatsFilter(model="m"), (2, 3, 4)),
            (StatsFilter(since=datetime(2026, 1, 1, tzinfo=UTC)), (0, 1, 2, 3, 4)),
            (
                StatsFilter(
                    since=datetime(2026, 1, 1, 3, tzinfo=UTC),
                    until=datetime(2026, 1, 1, 5, tzinfo=UTC),
                    interval="hour",
                ),
                (3, 4),
            ),
        ):
            found = await statistics.read(transaction, wanted, actor=STATIC_TOKEN, workspace=None)
            assert found.total == len(runs), wanted
            assert found.prompt_tokens == sum(10 * number for number in runs)
            assert (found.error, found.cost_unknown) == (int(1 in runs), 0)
            assert found.avg_latency_ms == round(sum(100 * number for number in runs) / len(runs))
            assert found.latency_ms.p99 == pytest.approx(100 * runs[-1], rel=0.05)


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
