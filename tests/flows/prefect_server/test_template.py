from __future__ import annotations

import contextlib
import sqlite3
import stat
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from prefect.server.database.alembic_commands import alembic_config
from prefect.server.database.orm_models import AioSqliteORMConfiguration

from harness.prefect_server import PrefectServer
from promptops_flows.prefect_server.template import APPLICATION_ID, TEMPLATE, install


def ask(database: Path, question: str) -> Any:
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(question).fetchone()[0]


def test_the_template_is_at_the_installed_prefects_last_migration(tmp_path: Path) -> None:
    """Fails after an update of Prefect: run `python -m promptops_flows.prefect_server.template`."""
    config = alembic_config()
    config.set_main_option("version_locations", str(AioSqliteORMConfiguration().versions_dir))
    database = tmp_path / "prefect.db"
    install(database)
    assert ask(database, "SELECT version_num FROM alembic_version") == (
        ScriptDirectory.from_config(config).get_current_head()
    )


def test_the_template_is_small_and_has_no_runs(tmp_path: Path) -> None:
    database = tmp_path / "prefect.db"
    install(database)
    assert TEMPLATE.stat().st_size < 50_000
    assert ask(database, "SELECT count(*) FROM flow_run") == 0
    assert ask(database, "SELECT count(*) FROM block_schema") > 50


def test_an_existing_database_is_left_alone(tmp_path: Path) -> None:
    database = tmp_path / "prefect.db"
    database.write_bytes(b"mine")
    assert install(database) is False
    assert database.read_bytes() == b"mine"


def test_only_its_owner_can_read_it_and_no_temporary_file_stays(tmp_path: Path) -> None:
    database = tmp_path / "new" / "prefect.db"
    assert install(database) is True
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert list(database.parent.iterdir()) == [database]


def test_the_log_of_a_removed_database_is_not_replayed_into_the_new_one(tmp_path: Path) -> None:
    database = tmp_path / "prefect.db"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE stray (number INTEGER)")
        connection.commit()
        log = database.with_name("prefect.db-wal").read_bytes()
    database.unlink()
    database.with_name("prefect.db-wal").write_bytes(log)
    install(database)
    assert ask(database, "SELECT count(*) FROM sqlite_master WHERE name = 'stray'") == 0


def test_a_first_start_begins_with_the_template(prefect_server: PrefectServer) -> None:
    database = prefect_server.data / "prefect" / "prefect.db"
    assert ask(database, "PRAGMA application_id") == APPLICATION_ID
