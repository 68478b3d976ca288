"""Migrations, and databases that are not ours to touch."""

import unicodedata
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, bindparam, func, inspect, select, text

import promptops_platform
from harness.platform import DatabaseKind, new_settings
from harness.postgres import Postgres
from promptops_platform.access.key_repository import key_credentials
from promptops_platform.access.tables import ApiKeyRow
from promptops_platform.agents.service import AGENTS
from promptops_platform.agents.tables import AgentRow
from promptops_platform.audit.tables import AuditCountRow
from promptops_platform.catalog.repository import STATES, KeyFilter, KeyList, Line
from promptops_platform.db.alembic_commands import alembic_config, upgrade
from promptops_platform.db.schema import VERSION_TABLE, SchemaRefused, migrate, revisions
from promptops_platform.db.search import is_declared
from promptops_platform.db.tables import Table
from promptops_platform.db.types import UtcDateTime
from promptops_platform.db.unit_of_work import Database
from promptops_platform.definitions.content import content_hash
from promptops_platform.definitions.tables import DefinitionVersionRow
from promptops_platform.prompts import search
from promptops_platform.prompts.schemas import PromptFilter
from promptops_platform.workflows.service import WORKFLOWS
from promptops_platform.workflows.tables import WorkflowRow
from promptops_platform.workspaces.tables import EnvironmentRow, WorkspaceRow

MOMENT = bindparam("now", type_=UtcDateTime())


@pytest.fixture
async def database(database_kind: DatabaseKind, postgres: Postgres, data_folder: Path) -> Any:
    settings = await new_settings(database_kind, postgres, data_folder, empty=True)
    database = Database(settings.database_location)
    yield database
    await database.close()


async def execute(database: Database, *statements: str) -> None:
    async with database.engines.writer.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def tables(database: Database) -> set[str]:
    async with database.engines.reader.connect() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


@pytest.fixture
def all_tables() -> MetaData:
    """Each room declares its own, so they are known once all of them are loaded."""
    for path in Path(promptops_platform.__path__[0]).glob("*/tables.py"):
        import_module(f"promptops_platform.{path.parent.name}.tables")
    return Table.metadata


async def test_an_upgrade_from_empty_equals_the_tables(
    database: Database, all_tables: MetaData
) -> None:
    await migrate(database.engines)

    def differences(connection: Connection) -> list[Any]:
        options = {
            "version_table": VERSION_TABLE,
            "compare_type": True,
            "include_name": is_declared,
        }
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, all_tables))

    async with database.engines.reader.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_files_of_migrations_begin_with_their_revisions(database: Database) -> None:
    async with database.engines.reader.connect() as connection:
        scripts = await connection.run_sync(
            lambda sync: ScriptDirectory.from_config(alembic_config(sync))
        )
    newest_first = [script.revision for script in scripts.walk_revisions()]
    assert revisions() == newest_first[::-1]


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
        await connection.run_sync(upgrade, "0001")
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
        for filter_ in (
            PromptFilter(text="STRASSE"),
            PromptFilter(text="ß"),
            PromptFilter(tag="ab", env="staging"),
        ):
            page = await search.page(session, filter_, limit=10, offset=0)
            assert [row.key for row, *_ in page.rows] == ["Key"], filter_
        totals = await session.execute(select(AuditCountRow.scope, AuditCountRow.total))
        assert sorted(totals.tuples()) == [("", 1), ("w", 1)]
        environments = await session.scalars(
            select(EnvironmentRow.name).order_by(EnvironmentRow.position)
        )
        assert list(environments) == ["dev", "test", "prod", "staging"]
        listed = KeyList(session, KeyFilter("w", text="strasse", tag="ab", model="m"))
        assert await listed.keys() == [Line("Key", STATES.index("never"))]
        marked = await session.scalars(select(WorkspaceRow.implicit_lookup))
        assert list(marked) == [True], "clients may rely on it"


async def test_names_of_an_older_release_are_found_in_both_forms(database: Database) -> None:
    name = "größe-한국"
    old = unicodedata.normalize("NFD", name)
    async with database.engines.writer.begin() as connection:
        await connection.run_sync(upgrade, "0015")
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
        for filter_ in (
            PromptFilter(text=name),
            PromptFilter(text=old),
            PromptFilter(category=name),
            PromptFilter(tag=name),
            PromptFilter(tag=old, category=name, text=name),
        ):
            page = await search.page(transaction.session, filter_, limit=10, offset=0)
            assert [(row.name, row.content) for row, *_ in page.rows] == [(name, old)], filter_


async def test_keys_of_an_older_release_have_the_maker_that_is_certain(database: Database) -> None:
    async with database.engines.writer.begin() as connection:
        await connection.run_sync(upgrade, "0007")
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


async def test_definitions_of_an_older_release_get_revision_and_hash(database: Database) -> None:
    async with database.engines.writer.begin() as connection:
        await connection.run_sync(upgrade, "0020")
        now = datetime(2026, 1, 1, tzinfo=UTC)
        workspace = (
            "INSERT INTO workspaces (id, name, slug, visibility, created_at, implicit_lookup)"
            " VALUES ('w', 'W', 'w', 'open', :now, true)"
        )
        await connection.execute(text(workspace).bindparams(MOMENT), {"now": now})
        steps = '[{"type": "render", "template": "\\u00e9", "op": 1}]'
        for number in range(3):
            values = {"id": f"f{number}", "steps": steps if number else "[]", "now": now}
            workflow = (
                "INSERT INTO workflows (id, workspace_id, key, name, description, steps, version,"
                " created_at, updated_at) VALUES (:id, 'w', :id, '', '', :steps, 3, :now, :now)"
            )
            await connection.execute(text(workflow).bindparams(MOMENT), values)
        agent = (
            "INSERT INTO agents (id, workspace_id, key, name, description, prompt, provider, model,"
            " fallbacks, parameters, tools, max_steps, window_messages, window_tokens, version,"
            " created_at, updated_at) VALUES ('a', 'w', 'a', '', '', 'hi', 'mock', '', '[]',"
            " '{\"seed\": 1}', '[]', 8, 40, 8000, 5, :now, :now)"
        )
        await connection.execute(text(agent).bindparams(MOMENT), {"now": now})
    await migrate(database.engines)
    async with database.read() as transaction:
        workflows = (await transaction.session.scalars(select(WorkflowRow))).all()
        agents = (await transaction.session.scalars(select(AgentRow))).all()
        versions = await transaction.session.scalar(select(func.count(DefinitionVersionRow.id)))
    assert versions == 0, "nothing is published by an upgrade"
    assert {(row.revision, row.updated_by) for row in workflows} == {(3, "")}
    for row in workflows:
        assert row.content_hash == content_hash({"steps": row.steps}, WORKFLOWS.defaults)
    (agent_row,) = agents
    definition = {name: getattr(agent_row, name) for name in AGENTS.defaults}
    assert agent_row.content_hash == content_hash(definition, AGENTS.defaults)
    assert agent_row.revision == 5


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
