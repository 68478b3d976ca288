"""What can go wrong at a start: one honest sentence and exit code 1."""

import asyncio
import gc
import sqlite3
from pathlib import Path

import pytest

from harness.commands import promptops, refused, refused_here
from harness.platform import new_settings
from harness.postgres import Postgres
from promptops_platform.clock import SystemClock
from promptops_platform.lifecycle import Platform
from promptops_platform.server import _started
from promptops_platform.settings import Settings
from promptops_platform.supervision.supervisor import Supervisor


async def test_two_platforms_may_start_on_one_empty_database(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder, empty=True)
    platforms = [Platform(settings, SystemClock()) for _ in range(3)]
    await asyncio.gather(*(platform.prepare() for platform in platforms))
    for platform in platforms:
        await platform.stop()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PROMPTOPS_ADDR", "nowhere"),
        ("PROMPTOPS_MAX_BODY_BYTES", "many"),
        ("PROMPTOPS_LOG_LEVEL", "loud"),
        ("PROMPTOPS_PROVIDER_HOSTS", "http://example.org"),
        ("PROMPTOPS_DATABASE_URL", "user:S3CRET@host/name"),
        ("PROMPTOPS_DATABASE_URL", "mysql://user:S3CRET@host/name"),
        ("PROMPTOPS_DATABASE_URL", "postgresql://user:S3CRET/x@host/name"),
        ("PROMPTOPS_DATABASE_URL", "postgresql://user:S3CRET[x@host/name"),
        ("PROMPTOPS_DRAIN_SECONDS", "inf"),
        ("PROMPTOPS_SESSION_HOURS", "1e300"),
        ("PROMPTOPS_ENV", "prod"),
        ("PROMPTOPS_TRUSTED_PROXIES", "10.0.0.300"),
        ("PROMPTOPS_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("PROMPTOPS_TRUSTED_PROXIES", "*"),
        ("PROMPTOPS_TRUSTED_PROXIES", "127.0.0.1, proxy.internal"),
        ("PROMPTOPS_CORS_ORIGINS", "console.example.org"),
        ("PROMPTOPS_CORS_ORIGINS", "https://console.example.org/"),
        ("PROMPTOPS_CORS_ORIGINS", "https://*.example.org"),
        ("PROMPTOPS_ALLOWED_HOSTS", "https://promptops.example.org"),
        ("PROMPTOPS_ALLOWED_HOSTS", "promptops.example.org:8080"),
        ("PROMPTOPS_RUN_TEXTS", "some"),
        ("PROMPTOPS_RUN_REDACT", "emails"),
        ("PROMPTOPS_RUN_REDACT_PATTERNS", "CUST-[0-9]+"),
        ("PROMPTOPS_RUN_DAYS", "-1"),
        ("PROMPTOPS_PRICES", "/nowhere/prices.json"),
    ],
)
def test_a_bad_setting_is_named(data_folder: Path, variable: str, value: str) -> None:
    refusal = refused_here("serve", PROMPTOPS_DATA=str(data_folder), **{variable: value})
    assert variable in refusal
    assert "S3CRET" not in refusal


def test_a_process_with_a_bad_setting_ends_with_the_same_sentence(data_folder: Path) -> None:
    bad = {"PROMPTOPS_DATA": str(data_folder), "PROMPTOPS_ADDR": "nowhere"}
    assert refused("serve", **bad) == refused_here("serve", **bad)


def test_a_database_out_of_reach_is_named_without_its_password(data_folder: Path) -> None:
    url = "postgresql://user:S3CRET@127.0.0.1:1/registry?sslmode=prefer"
    refusal = refused("serve", PROMPTOPS_DATA=str(data_folder), PROMPTOPS_DATABASE_URL=url)
    assert "registry at 127.0.0.1:1" in refusal
    assert "S3CRET" not in refusal


def test_a_missing_database_is_named(postgres: Postgres, data_folder: Path) -> None:
    url = f"postgresql://postgres:@/missing?host={postgres.folder}"
    refusal = refused("migrate", PROMPTOPS_DATA=str(data_folder), PROMPTOPS_DATABASE_URL=url)
    assert '"missing" does not exist' in refusal


def test_a_file_that_is_no_database_is_left_alone(data_folder: Path) -> None:
    file = data_folder / "promptops.db"
    file.write_text("not a database, but somebody's text" * 50)
    refusal = refused("serve", PROMPTOPS_DATA=str(data_folder))
    assert str(file) in refusal
    assert file.read_text().startswith("not a database")


def test_a_folder_in_the_databases_place_is_named(data_folder: Path) -> None:
    (data_folder / "promptops.db").mkdir()
    assert "promptops.db" in refused("serve", PROMPTOPS_DATA=str(data_folder))


def test_another_programs_database_is_refused(data_folder: Path) -> None:
    with sqlite3.connect(data_folder / "promptops.db") as connection:
        connection.execute("CREATE TABLE prompts (id INTEGER)")
    assert "did not make" in refused("serve", PROMPTOPS_DATA=str(data_folder))


def test_a_data_folder_that_is_a_file_is_named(data_folder: Path) -> None:
    file = data_folder / "file"
    file.touch()
    assert str(file) in refused("serve", PROMPTOPS_DATA=str(file))


def test_a_worker_needs_a_prefect_server(data_folder: Path) -> None:
    assert "PREFECT_API_URL" in refused("worker", PROMPTOPS_DATA=str(data_folder))
    long = str(data_folder / ("x" * 100))
    refusal = refused("worker", PROMPTOPS_DATA=long, PREFECT_API_URL="http://127.0.0.1:1/api")
    assert "too long" in refusal


def test_what_is_stored_is_for_its_owner_only(data_folder: Path) -> None:
    data_folder.chmod(0o755)
    assert promptops("migrate", PROMPTOPS_DATA=str(data_folder)).returncode == 0
    for file in data_folder.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


def test_the_version_is_printed() -> None:
    assert promptops("version").stdout.startswith("promptops ")


def test_what_a_start_has_loaded_is_no_work_for_the_garbage_collector(
    data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = len(gc.get_objects())
    _started(Supervisor(data_folder / "logs"), [], Settings(data=data_folder), "It serves.")
    try:
        assert gc.get_freeze_count() > loaded / 2
        assert len(gc.get_objects()) < loaded / 10
    finally:
        gc.unfreeze()
    assert capsys.readouterr().out == "It serves.\n"
