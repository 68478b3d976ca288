"""A data folder that is not as the platform left it: one sentence at the start, nothing changed."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from harness.commands import promptops, refused
from harness.connections import new_connection
from harness.platform import (
    TOKEN,
    DatabaseKind,
    new_data_folder,
    new_settings,
    running_platform,
)
from harness.ports import free_port
from harness.postgres import Postgres
from harness.up import promptops as promptops_process
from promptops_platform.clock import SystemClock
from promptops_platform.data_folder import DataFolderLock, DataFolderNotUsable, read_instance
from promptops_platform.data_folder.files import check_children_files
from promptops_platform.data_folder.permissions import remove_write_permissions
from promptops_platform.db.schema import DatabaseNotUsable, SchemaRefused
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import StartRefused
from promptops_platform.lifecycle import Platform
from promptops_platform.sealing import KEY_FILE
from promptops_platform.server import _check_children_files
from promptops_platform.settings import Settings
from promptops_platform.supervision.login_files import UnreadableCredentialsError

OLDER_SERVER = ("users", "workspaces", "prompts", "prompt_versions", "agents", "workflows")


def contents(folder: Path) -> dict[str, bytes]:
    """All files but the lock, which every start takes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


async def used_folder(settings: Settings) -> None:
    """Run a platform once."""
    async with running_platform(settings) as platform:
        await platform.create(key="kept", env="prod", content="text")


async def start(settings: Settings, *, new_database: bool = False) -> None:
    platform = Platform(settings, SystemClock())
    try:
        await platform.prepare(new_database=new_database)
    finally:
        await platform.stop()


def sqlite_settings(data: Path) -> Settings:
    return Settings(data=data, addr=f"127.0.0.1:{free_port()}", token=TOKEN)


async def test_a_missing_secret_key_is_not_replaced(data_folder: Path) -> None:
    settings = sqlite_settings(data_folder)
    async with running_platform(settings) as platform:
        await new_connection(platform)
    (data_folder / KEY_FILE).unlink()
    before = contents(data_folder)
    with pytest.raises(StartRefused, match=r"secret\.key is missing, and .* from a backup"):
        await start(settings)
    assert "secret.key is missing" in refused("rotate-secrets", PROMPTOPS_DATA=str(data_folder))
    done = promptops("key", "list", PROMPTOPS_DATA=str(data_folder))
    assert done.returncode == 0, done.stderr
    assert not (data_folder / KEY_FILE).exists()
    assert contents(data_folder).keys() == before.keys()
    done = promptops("rotate-secrets", "--forget-unreadable", PROMPTOPS_DATA=str(data_folder))
    assert done.returncode == 0, done.stderr
    await start(settings)


async def test_without_stored_keys_a_missing_secret_key_is_made_again(data_folder: Path) -> None:
    await start(sqlite_settings(data_folder))
    (data_folder / KEY_FILE).unlink()
    await start(sqlite_settings(data_folder))
    assert (data_folder / KEY_FILE).exists()


@pytest.mark.parametrize("lose", [Path.unlink, lambda path: path.write_bytes(b"")])
async def test_a_lost_database_is_not_replaced_unless_told(
    data_folder: Path, lose: Callable[[Path], object]
) -> None:
    settings = sqlite_settings(data_folder)
    await used_folder(settings)
    lose(data_folder / "promptops.db")
    # On a busy machine the last connection may close after the platform's end, and leave its log.
    for end in ("-wal", "-shm"):
        (data_folder / f"promptops.db{end}").unlink(missing_ok=True)
    before = contents(data_folder)
    for command in ("up", "migrate"):
        sentence = refused(command, PROMPTOPS_DATA=str(data_folder))
        assert "promptops.db" in sentence
        assert "promptops up --new" in sentence
    assert contents(data_folder) == before
    await start(settings, new_database=True)
    await start(settings)


def test_a_start_that_is_told_makes_a_new_database(data_folder: Path) -> None:
    (data_folder / "instance").write_text(f"{'1' * 32}\n{'2' * 32}\n")
    with promptops_process("serve", data=data_folder) as platform:
        platform.argv = (*platform.argv, "--new")
        platform.start()
        assert platform.stop() == 0
    instance = read_instance(data_folder)
    assert instance is not None
    assert instance.id == "1" * 32
    assert instance.database != "2" * 32


async def test_a_command_makes_no_database(data_folder: Path) -> None:
    (data_folder / "promptops.db").touch()
    assert "no PromptOps has run on" in refused("key", "list", PROMPTOPS_DATA=str(data_folder))
    assert (data_folder / "promptops.db").read_bytes() == b""


async def test_an_empty_postgresql_database_does_not_replace_the_one_before(
    postgres: Postgres, data_folder: Path
) -> None:
    await used_folder(await new_settings("postgresql", postgres, data_folder, empty=True))
    other = await new_settings("postgresql", postgres, data_folder, empty=True)
    with pytest.raises(StartRefused, match="is empty, and the data folder"):
        await start(other)
    database = Database(other.database_location)
    async with database.read() as transaction:
        tables = await transaction.session.execute(
            text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        )
        assert tables.scalar_one() == 0
    await database.close()
    await start(other, new_database=True)
    await start(other)


async def test_a_log_of_a_database_that_is_gone_is_not_dropped(data_folder: Path) -> None:
    log = data_folder / "promptops.db-wal"
    log.write_bytes(b"frames")
    with pytest.raises(DatabaseNotUsable, match=r"promptops\.db-wal exists"):
        await start(sqlite_settings(data_folder))
    assert log.read_bytes() == b"frames"
    assert not (data_folder / "promptops.db").exists()


async def test_a_foreign_instance_is_refused(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    """As a file of another folder's backup, or as another folder's database."""
    settings = await new_settings(database_kind, postgres, data_folder, empty=True)
    await used_folder(settings)
    stranger = new_data_folder()
    await start(sqlite_settings(stranger))
    own = (data_folder / "instance").read_bytes()
    shutil.copy(stranger / "instance", data_folder / "instance")
    with pytest.raises(StartRefused, match="is not the database that the data folder"):
        await start(settings)
    (data_folder / "instance").write_bytes(own)
    await start(settings)
    shutil.rmtree(stranger)


async def test_a_restored_database_of_before_this_release_is_taken(data_folder: Path) -> None:
    settings = sqlite_settings(data_folder)
    await used_folder(settings)
    with closing(sqlite3.connect(data_folder / "promptops.db")) as connection:
        connection.execute("DELETE FROM database_identity")
        connection.commit()
    await start(settings)
    await start(settings)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"garbled", b"\xff\x00\xfe", b"0" * 32 + b"\n" + b"x" * 32]
)
async def test_a_garbled_instance_is_named(data_folder: Path, content: bytes) -> None:
    await used_folder(sqlite_settings(data_folder))
    (data_folder / "instance").write_bytes(content)
    with pytest.raises(DataFolderNotUsable, match=r"/instance .*from a backup, or remove it"):
        Platform(sqlite_settings(data_folder), SystemClock())
    assert (data_folder / "instance").read_bytes() == content
    (data_folder / "instance").unlink()
    await start(sqlite_settings(data_folder))
    assert read_instance(data_folder) is not None


def garbled_sqlite(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"\xa5" * 8192)


def other_programs(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE invoices (id)")
        connection.commit()


def newer_prefects(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE flow_run (id)")
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute("INSERT INTO alembic_version VALUES ('fedcba987654')")
        connection.commit()


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("engine.sock", lambda path: path.write_text("text")),
        ("engine.sock", Path.mkdir),
        ("engine.sock", lambda path: path.symlink_to("nowhere")),
        ("engine.lock", Path.mkdir),
        ("engine.lock", os.mkfifo),
        ("lock", Path.mkdir),
        ("logs", lambda path: path.write_text("text")),
        ("logs/engine.log", lambda path: path.mkdir(parents=True)),
        ("logs/prefect.log", lambda path: path.mkdir(parents=True)),
        ("prefect", lambda path: path.write_text("text")),
        ("prefect/credentials", lambda path: path.write_text("")),
        ("prefect/credentials", lambda path: path.write_text("garbled")),
        ("prefect/credentials", lambda path: path.write_text("admin:two\nlines:x")),
        ("prefect/credentials", lambda path: path.write_bytes(b"admin:\0\0")),
        ("prefect/credentials", lambda path: path.write_bytes(b"admin:\xff\xfe")),
        ("prefect/credentials", Path.mkdir),
        ("prefect/credentials", os.mkfifo),
        ("prefect/profiles.toml", lambda path: path.write_text("garbled = [")),
        ("prefect/profiles.toml", Path.mkdir),
        ("prefect/prefect.db", Path.touch),
        ("prefect/prefect.db", lambda path: path.write_text("garbled" * 1000)),
        ("prefect/prefect.db", garbled_sqlite),
        ("prefect/prefect.db", other_programs),
        ("prefect/prefect.db", newer_prefects),
        ("prefect/prefect.db", Path.mkdir),
        ("prefect/prefect.db", lambda path: path.symlink_to("nowhere")),
    ],
)
def test_what_the_children_cant_start_with_is_named_at_the_start(
    data_folder: Path, name: str, spoil: Callable[[Path], object]
) -> None:
    path = data_folder / name
    if name.startswith("prefect/"):
        path.parent.mkdir()
    spoil(path)
    refusals = (DataFolderNotUsable, UnreadableCredentialsError)
    with pytest.raises(refusals) as refusal, DataFolderLock(data_folder):
        _check_children_files(sqlite_settings(data_folder))
    sentence = str(refusal.value)
    assert str(path) in sentence
    assert any(word in sentence.lower() for word in ("remove", "move it away")), sentence


def test_the_start_says_it(data_folder: Path) -> None:
    (data_folder / "engine.sock").mkdir()
    assert "engine.sock must be a socket" in refused("up", PROMPTOPS_DATA=str(data_folder))
    assert not (data_folder / "promptops.db").exists()


def test_a_damaged_template_is_named(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "template.db.xz"
    damaged.write_bytes(b"garbled")
    monkeypatch.setattr("promptops_flows.processes.prefect_files.TEMPLATE", damaged)
    with pytest.raises(DataFolderNotUsable, match="install PromptOps again"):
        check_children_files(data_folder, with_prefect=True)
    check_children_files(data_folder, with_prefect=False)


def test_an_older_servers_database_is_refused_untouched(data_folder: Path) -> None:
    file = data_folder / "promptops.db"
    with closing(sqlite3.connect(file)) as connection:
        for table in OLDER_SERVER:
            connection.execute(f"CREATE TABLE {table} (id TEXT PRIMARY KEY)")
        connection.execute("INSERT INTO prompts VALUES ('1')")
        connection.commit()
    before = file.read_bytes()
    for command in ("up", "migrate"):
        sentence = refused(command, PROMPTOPS_DATA=str(data_folder))
        assert "is the database of an older PromptOps server" in sentence
        assert "PROMPTOPS_DATA" in sentence
        assert "PROMPTOPS_DB" in sentence
    assert file.read_bytes() == before
    other = promptops(
        "migrate", PROMPTOPS_DATA=str(data_folder), PROMPTOPS_DB=str(data_folder / "new.db")
    )
    assert other.returncode == 0, other.stderr


async def test_another_programs_database_stays_as_it_is(data_folder: Path) -> None:
    file = data_folder / "promptops.db"
    other_programs(file)
    before = file.read_bytes()
    with pytest.raises(SchemaRefused, match="did not make"):
        await start(sqlite_settings(data_folder))
    assert file.read_bytes() == before
    assert contents(data_folder).keys() == {file.name, "instance"}


async def test_a_damaged_database_is_named_with_what_to_do(data_folder: Path) -> None:
    await used_folder(sqlite_settings(data_folder))
    file = data_folder / "promptops.db"
    for content in (b"garbled" * 2000, b"SQLite format 3\0" + b"\xa5" * 8192):
        file.write_bytes(content)
        with pytest.raises(DatabaseNotUsable, match=r"promptops\.db.*put it back from a backup"):
            await start(sqlite_settings(data_folder))
        assert file.read_bytes() == content


def test_a_folder_that_all_may_write_to_is_corrected(data_folder: Path) -> None:
    (data_folder / "prefect").mkdir()
    for name in ("", "prefect", "secret.key"):
        path = data_folder / name
        if name == "secret.key":
            path.touch()
        path.chmod(0o777)
    remove_write_permissions(data_folder, data_folder / "promptops.db")
    for path in (data_folder, *data_folder.rglob("*")):
        assert not path.stat().st_mode & stat.S_IWOTH, path


def test_the_start_corrects_it(data_folder: Path) -> None:
    data_folder.chmod(0o777)
    (data_folder / "promptops.db").write_text("garbled" * 100)
    assert "others_kept_out" in promptops("serve", PROMPTOPS_DATA=str(data_folder)).stderr
    assert stat.S_IMODE(data_folder.stat().st_mode) == 0o775


def test_a_folder_that_all_share_is_refused(data_folder: Path) -> None:
    data_folder.chmod(0o1777)
    sentence = refused("serve", PROMPTOPS_DATA=str(data_folder))
    assert "PROMPTOPS_DATA" in sentence
    assert stat.S_IMODE(data_folder.stat().st_mode) == 0o1777


def test_a_database_in_a_folder_that_all_may_write_to_is_refused(data_folder: Path) -> None:
    folder = data_folder / "elsewhere"
    folder.mkdir()
    folder.chmod(0o777)
    data = str(data_folder / "data")
    sentence = refused("serve", PROMPTOPS_DATA=data, PROMPTOPS_DB=str(folder / "registry.db"))
    assert f"chmod o-w {folder}" in sentence
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")
def test_a_folder_of_somebody_else_is_refused(data_folder: Path) -> None:
    data_folder.chmod(0o777)
    program = (
        "import os, sys, pathlib\n"
        "from promptops_platform.data_folder.permissions import remove_write_permissions\n"
        "os.setuid(65534)\n"
        "remove_write_permissions(pathlib.Path(sys.argv[1]), None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(data_folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"chmod -R o-w {data_folder}" in done.stderr
    assert stat.S_IMODE(data_folder.stat().st_mode) == 0o777
