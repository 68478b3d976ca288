"""Databases that are migrated already: otherwise each test that starts a platform would migrate
one."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from harness.postgres import Postgres
from promptops_platform.db.location import PostgresUrl, SqliteFile
from promptops_platform.db.schema import migrate
from promptops_platform.db.unit_of_work import Database

_TEMPLATE = "migrated"


async def place_migrated_file(path: Path) -> None:
    """A SQLite database with the newest schema and no rows."""
    template = _folder() / "promptops.db"
    if not template.exists():
        await _migrate(SqliteFile(template))
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(template, path)


async def new_migrated_database(postgres: Postgres) -> str:
    """The URL of a PostgreSQL database with the newest schema and no rows."""
    if not await postgres.has_database(_TEMPLATE):
        await postgres.new_database(_TEMPLATE)
        await _migrate(PostgresUrl(postgres.url(_TEMPLATE)))
    return await postgres.new_database(template=_TEMPLATE)


async def _migrate(location: SqliteFile | PostgresUrl) -> None:
    database = Database(location)
    try:
        await migrate(database.engines)
    finally:
        await database.close()


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="migrated-"))
    atexit.register(shutil.rmtree, folder)
    return folder
