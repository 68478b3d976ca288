"""Restores a backup: checks all of it first, then puts it in place."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from promptops_flows.processes.children import prefect_home
from promptops_flows.processes.prefect_files import DATABASE
from promptops_platform.backups.archive import BackupError, Manifest, read_archive
from promptops_platform.backups.making import PREFECT, REGISTRY, REGISTRY_FOLDER
from promptops_platform.backups.postgres_tables import (
    begin_new_feed,
    drop_everything,
    living_replicas,
    load_tables,
)
from promptops_platform.backups.sqlite_files import begin_new_feed as begin_new_feed_of_file
from promptops_platform.backups.sqlite_files import check_file, count_rows
from promptops_platform.data_folder import DataFolderLock
from promptops_platform.data_folder.instance import INSTANCE_FILE
from promptops_platform.db.engine import Engines
from promptops_platform.db.location import PostgresUrl, SqliteFile
from promptops_platform.db.schema import SchemaRefused, lock_migrations, revisions, schema_state
from promptops_platform.ids import new_id
from promptops_platform.sealing import KEY_FILE
from promptops_platform.settings import Settings
from promptops_platform.spared_imports import import_without_colours

# Longer than the interval at which replicas report.
ALIVE_SECONDS = 60.0
BESIDE_SQLITE = ("-wal", "-shm", "-journal")


async def check_backup(settings: Settings, path: Path) -> Manifest:
    """Unpack a backup and check all of it, without changing anything. Raises BackupError."""
    with _unpacked(settings, path) as (manifest, _):
        return manifest


async def restore_backup(settings: Settings, path: Path, *, replace: bool) -> Manifest:
    """Restore a backup into the data folder and database of these settings. With `replace`,
    existing files are moved to a folder beside them, and existing tables of PostgreSQL are removed.

    Raises BackupError, DataFolderInUse, and the errors of opening the database.
    """
    location = settings.database_location
    with DataFolderLock(settings.data), _unpacked(settings, path) as (manifest, members):
        _refuse_another_kind(manifest, location)
        _refuse_existing_files(settings, replace=replace)
        if isinstance(location, SqliteFile):
            begin_new_feed_of_file(members[REGISTRY], new_id())
        else:
            await _restore_tables(location, manifest, members, replace=replace)
        _place_files(settings, members)
    return manifest


def needs_secret_key(settings: Settings) -> bool:
    """Whether no key exists yet that decrypts the sealed texts of a backup."""
    return settings.secret_key is None and not (settings.data / KEY_FILE).exists()


@contextmanager
def _unpacked(settings: Settings, path: Path) -> Iterator[tuple[Manifest, dict[str, Path]]]:
    # On the disk of the data folder, so that files can be moved into place.
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=settings.data, prefix=".restore-") as folder:
        manifest, members = read_archive(path, Path(folder))
        _refuse_another_schema(manifest)
        _refuse_incomplete(manifest, path)
        if REGISTRY in members:
            check_file(members[REGISTRY], REGISTRY)
            if count_rows(members[REGISTRY], REGISTRY) != manifest.tables:
                raise BackupError(f"{path} does not contain the rows that its manifest names")
        if PREFECT in members:
            check_file(members[PREFECT], PREFECT)
        yield manifest, members


def _refuse_another_schema(manifest: Manifest) -> None:
    if manifest.schema not in revisions():
        raise BackupError(
            f"the backup was made by PromptOps {manifest.release} and has schema "
            f"{manifest.schema}, which this release does not know; restore it with that release or "
            "a newer one"
        )


def _refuse_incomplete(manifest: Manifest, path: Path) -> None:
    is_sqlite = manifest.database == "sqlite"
    tables = [REGISTRY] if is_sqlite else [f"{REGISTRY_FOLDER}{name}" for name in manifest.tables]
    for name in tables:
        if name not in manifest.members:
            raise BackupError(f"{path} is damaged: {name} is missing")


def _refuse_another_kind(manifest: Manifest, location: SqliteFile | PostgresUrl) -> None:
    is_file = isinstance(location, SqliteFile)
    if is_file == (manifest.database == "sqlite"):
        return
    remedy = "set PROMPTOPS_DATABASE_URL" if is_file else "leave PROMPTOPS_DATABASE_URL out"
    ours, theirs = ("SQLite", "PostgreSQL") if is_file else ("PostgreSQL", "SQLite")
    raise BackupError(f"the backup is of {theirs}, and the settings name {ours}; {remedy}")


def _places(settings: Settings) -> dict[str, Path]:
    """Return the targets of a backup's files, by their names in it."""
    places = {
        INSTANCE_FILE: settings.data / INSTANCE_FILE,
        PREFECT: prefect_home(settings.data) / DATABASE,
    }
    if isinstance(settings.database_location, SqliteFile):
        places[REGISTRY] = settings.database_location.path
    return places


def _refuse_existing_files(settings: Settings, *, replace: bool) -> None:
    existing = [path for path in _places(settings).values() if path.exists()]
    if existing and not replace:
        raise BackupError(
            f"{existing[0]} exists; restore into another data folder (PROMPTOPS_DATA), or add "
            "--replace, which moves the files that are there to a folder beside them"
        )


def _place_files(settings: Settings, members: Mapping[str, Path]) -> None:
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    for name, place in _places(settings).items():
        for path in [place, *(place.with_name(place.name + end) for end in BESIDE_SQLITE)]:
            if path.exists():
                aside = path.parent / f"replaced-{moment}"
                aside.mkdir(exist_ok=True, mode=0o700)
                path.rename(aside / path.name)
        if name in members:
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            members[name].chmod(0o600)
            _move(members[name], place)


def _move(source: Path, target: Path) -> None:
    """The registry may be on another disk than the data folder."""
    with (
        tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as draft,
        source.open("rb") as file,
    ):
        while chunk := file.read(1024 * 1024):
            draft.write(chunk)
        draft.flush()
    Path(draft.name).replace(target)


async def _restore_tables(
    location: PostgresUrl, manifest: Manifest, members: Mapping[str, Path], *, replace: bool
) -> None:
    """Restore in one transaction: an error leaves the database unchanged."""
    files = {name.removeprefix(REGISTRY_FOLDER): path for name, path in members.items()}
    engines = Engines(location)
    try:
        await _refuse_existing_tables(engines, replace=replace)
        alembic = import_without_colours("promptops_platform.db.alembic_commands")
        async with engines.writer.begin() as connection:
            await lock_migrations(engines, connection)
            if await living_replicas(connection, ALIVE_SECONDS):
                raise BackupError(
                    f"a platform runs on {location}; stop it, or wait a minute after its end"
                )
            await drop_everything(connection)
            await connection.run_sync(alembic.upgrade, manifest.schema)
            await load_tables(connection, manifest.tables, files)
            await begin_new_feed(connection, new_id())
    finally:
        await engines.dispose()


async def _refuse_existing_tables(engines: Engines, *, replace: bool) -> None:
    """Raises SchemaRefused for tables of another program, even with `replace`."""
    try:
        state = await schema_state(engines)
    except SchemaRefused as error:
        raise BackupError(f"can't restore there: {error}") from error
    if state.current is not None and not replace:
        raise BackupError(
            f"{engines.location} has the tables of a PromptOps; name an empty database, or add "
            "--replace, which removes them"
        )
