"""Makes a backup, even while the platform runs."""

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path

from promptops_flows.processes.children import prefect_home
from promptops_flows.processes.prefect_files import DATABASE
from promptops_platform.backups.archive import BackupError, Manifest, TableCopy, write_archive
from promptops_platform.backups.postgres_tables import copy_tables
from promptops_platform.backups.sqlite_files import check_file, copy_file, count_rows
from promptops_platform.data_folder.instance import INSTANCE_FILE
from promptops_platform.db.engine import Engines
from promptops_platform.db.location import PostgresUrl, SqliteFile
from promptops_platform.db.schema import schema_state
from promptops_platform.settings import Settings

REGISTRY = "registry.db"
REGISTRY_FOLDER = "registry/"
PREFECT = "prefect.db"


@dataclass(frozen=True, slots=True)
class Copies:
    """The files in the working folder, ready to be packed."""

    schema: str
    tables: dict[str, TableCopy]
    members: dict[str, Path]


async def make_backup(settings: Settings, path: Path) -> Manifest:
    """Write a backup of the platform with these settings. Raises BackupError, and the errors of
    opening the database; then no file is left."""
    location = settings.database_location
    with tempfile.TemporaryDirectory(dir=_folder_of(path), prefix=".backup-") as folder:
        await _refuse_without_registry(location)
        working = Path(folder)
        if isinstance(location, SqliteFile):
            copies = await _copy_file(location, working)
        else:
            copies = await _copy_tables(location, working)
        members = {**copies.members, **_other_files(settings, working)}
        manifest = Manifest(
            release=installed_version("promptops"),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            database="sqlite" if isinstance(location, SqliteFile) else "postgresql",
            schema=copies.schema,
            tables=copies.tables,
        )
        return write_archive(path, manifest, members)


def _folder_of(path: Path) -> Path:
    if path.exists():
        raise BackupError(f"{path} exists already; choose another name")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise BackupError(f"the folder {folder} does not exist; create it first")
    return folder


async def _refuse_without_registry(location: SqliteFile | PostgresUrl) -> None:
    missing = BackupError(
        f"there is nothing at {location} yet; name the data folder or database of the platform "
        "(PROMPTOPS_DATA, PROMPTOPS_DATABASE_URL)"
    )
    if isinstance(location, SqliteFile) and not location.path.is_file():
        raise missing
    if await _schema(location) is None:
        raise missing


async def _copy_file(location: SqliteFile, folder: Path) -> Copies:
    copy = folder / REGISTRY
    copy_file(location.path, copy)
    check_file(copy, str(location.path))
    schema = await _schema(SqliteFile(copy))
    assert schema is not None
    return Copies(schema, count_rows(copy, REGISTRY), {REGISTRY: copy})


async def _copy_tables(location: PostgresUrl, folder: Path) -> Copies:
    tables = folder / "tables"
    tables.mkdir()
    schema, copies = await copy_tables(location, tables)
    members = {f"{REGISTRY_FOLDER}{name}": tables / name for name in copies}
    return Copies(schema, copies, members)


async def _schema(location: SqliteFile | PostgresUrl) -> str | None:
    """Return the schema's revision; raises SchemaRefused for an unknown one."""
    engines = Engines(location, read_only=True)
    try:
        return (await schema_state(engines)).current
    finally:
        await engines.dispose()


def _other_files(settings: Settings, folder: Path) -> dict[str, Path]:
    """Return the files of the data folder, except keys and credentials."""
    members = {}
    instance = settings.data / INSTANCE_FILE
    if instance.is_file():
        members[INSTANCE_FILE] = instance
    history = prefect_home(settings.data) / DATABASE
    if history.is_file():
        copy = folder / PREFECT
        copy_file(history, copy)
        check_file(copy, str(history))
        members[PREFECT] = copy
    return members
