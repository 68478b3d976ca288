"""What the doctor finds, and that it leaves everything as it was."""

import socket
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from harness.connections import new_connection
from harness.otlp import otlp_collector
from harness.platform import TOKEN, DatabaseKind, new_settings, running_platform
from harness.ports import free_port
from harness.postgres import Postgres
from harness.prefect_server import PrefectServer
from promptops_platform.data_folder import DataFolderLock
from promptops_platform.db.schema import VERSION_TABLE, migrate
from promptops_platform.db.unit_of_work import Database
from promptops_platform.diagnosis.database import look_at_database
from promptops_platform.diagnosis.elsewhere import (
    look_at_models,
    look_at_token,
    look_at_traces,
)
from promptops_platform.diagnosis.examination import examine
from promptops_platform.diagnosis.finding import Finding
from promptops_platform.diagnosis.folder import look_at_folder
from promptops_platform.diagnosis.installation import look_at_installation
from promptops_platform.diagnosis.running import look_at_platform, look_at_prefect
from promptops_platform.diagnosis.shown_settings import shown_settings
from promptops_platform.settings import Settings


def a_settings(data: Path, **changes: Any) -> Settings:
    fields = {"data": data, "addr": f"127.0.0.1:{free_port()}", "prefect_port": free_port()}
    # No host of a vendor: tests leave this machine alone.
    return Settings(**{**fields, "provider_hosts": "127.0.0.1:9", **changes})


def only(found: Sequence[Finding]) -> Finding:
    assert len(found) == 1, found
    return found[0]


def levels(found: Sequence[Finding]) -> list[str]:
    return [each.level for each in found]


def files(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(each.relative_to(folder)): (each.stat().st_size, each.stat().st_mtime_ns)
        for each in folder.rglob("*")
    }


async def test_before_the_first_start_nothing_is_wrong_and_nothing_is_made(
    data_folder: Path,
) -> None:
    settings = a_settings(data_folder / "data")
    found = await examine(settings)
    assert "problem" not in levels(found), found
    assert files(data_folder) == {}


async def test_a_folder_that_was_used_is_left_as_it_is(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings):
        pass
    before = files(data_folder)
    found = await look_at_database(settings)
    assert found[0].level == "ok", found
    assert "this release's schema" in found[0].text
    assert files(data_folder) == before


async def test_it_looks_into_the_database_of_a_platform_that_runs(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings):
        found = {each.check: each for each in await look_at_database(settings)}
    assert found["database"].level == "ok"
    assert found["secrets"].level == "warning"
    assert found["secrets"].remedy == "promptops set-password admin"
    if database_kind == "postgresql":
        assert found["clock"].level == "ok"


async def test_default_secrets_are_a_problem_in_production(data_folder: Path) -> None:
    async with running_platform(a_settings(data_folder)):
        pass
    settings = a_settings(data_folder, env="production")
    found = [*await look_at_token(settings), *await look_at_database(settings)]
    assert [each.level for each in found if each.check == "secrets"] == ["problem", "problem"]
    own = a_settings(data_folder, token=SecretStr("my own"))
    assert levels(await look_at_token(own)) == ["ok"]


async def test_a_foreign_database_is_named_and_untouched(data_folder: Path) -> None:
    settings = a_settings(data_folder)
    connection = sqlite3.connect(data_folder / "promptops.db")
    connection.execute("CREATE TABLE invoices (id)")
    connection.close()
    before = files(data_folder)
    found = only(await look_at_database(settings))
    assert found.level == "problem"
    assert "did not make (invoices)" in found.text
    assert files(data_folder) == before


async def test_a_newer_and_an_older_schema_are_told_apart(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    for revision, level in (("9999", "problem"), ("0001", "warning")):
        database = Database(settings.registry)
        await migrate(database.engines)
        async with database.engines.writer.begin() as connection:
            was = await connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
            await connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'"))
        found = only(await look_at_database(settings))
        assert found.level == level, found
        assert revision in found.text
        async with database.engines.writer.begin() as connection:
            assert (
                await connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
                == revision
            )
            await connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{was}'"))
        await database.close()


async def test_a_broken_file_is_a_problem(data_folder: Path) -> None:
    (data_folder / "promptops.db").write_bytes(b"this is no database " * 500)
    found = only(await look_at_database(a_settings(data_folder)))
    assert found.level == "problem"
    assert "not a database" in found.text


async def test_an_empty_database_is_fine(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    found = only(await look_at_database(settings))
    assert found.level == "ok"
    assert files(data_folder) == {}


@pytest.mark.parametrize("silent", [False, True], ids=["refuses", "never answers"])
async def test_a_database_that_can_not_be_reached_is_a_problem(
    data_folder: Path, *, silent: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1] if silent else free_port()
        url = SecretStr(f"postgresql://ada:secret-word@127.0.0.1:{port}/registry")
        settings = a_settings(data_folder, database_url=url)
        found = only(await look_at_database(settings, seconds=0.5))
    assert found.level == "problem"
    assert f"127.0.0.1:{port}" in found.text
    assert "secret-word" not in found.text


async def test_a_locked_folder_names_who_holds_it(data_folder: Path) -> None:
    settings = a_settings(data_folder)
    with DataFolderLock(data_folder):
        found = await look_at_folder(settings)
        assert "in use by the PromptOps with pid" in found[0].text
        # That platform does not answer: it was started on another address.
        assert only(await look_at_platform(settings)).level == "problem"
    assert "no platform runs on it" in (await look_at_folder(settings))[0].text


async def test_folders_that_can_not_be_used(data_folder: Path) -> None:
    file = data_folder / "file"
    file.write_text("")
    assert (await look_at_folder(a_settings(file)))[0].level == "problem"
    deep = data_folder / ("x" * 120)
    assert (await look_at_folder(a_settings(deep)))[-1].remedy.startswith("set PROMPTOPS_DATA")


async def test_a_taken_port_is_a_problem(data_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = only(await look_at_platform(a_settings(data_folder, addr=f"127.0.0.1:{port}")))
    assert found.level == "problem"
    assert f"127.0.0.1:{port}" in found.text


async def test_prefect_by_version_login_and_absence(
    data_folder: Path, prefect_server: PrefectServer
) -> None:
    async def found(url: str, auth: str | None) -> Finding:
        secret = SecretStr(auth) if auth else None
        settings = a_settings(data_folder, prefect_api_url=url, prefect_api_auth_string=secret)
        return only(await look_at_prefect(settings))

    assert (await found(prefect_server.api_url, prefect_server.auth)).level == "ok"
    refused = await found(prefect_server.api_url, "admin:wrong")
    assert refused.level == "problem"
    assert "refuses the login" in refused.text
    away = await found(f"http://127.0.0.1:{free_port()}/api", None)
    assert away.level == "problem"
    assert "no Prefect server answers" in away.text


async def test_a_server_that_is_no_prefect_is_told(data_folder: Path) -> None:
    async with running_platform(a_settings(data_folder)) as other:
        url = f"http://127.0.0.1:{other.port}/api"
        found = only(await look_at_prefect(a_settings(data_folder, prefect_api_url=url)))
    assert found.level == "problem"


async def test_collectors_and_models(data_folder: Path) -> None:
    with otlp_collector() as collector:
        settings = a_settings(data_folder, otel_endpoint=collector.url)
        assert levels(await look_at_traces(settings)) == ["ok"]
        hosts = collector.url.removeprefix("http://")
        assert levels(await look_at_models(a_settings(data_folder, provider_hosts=hosts))) == ["ok"]
    assert levels(await look_at_traces(settings)) == ["warning"]
    nothing = f"127.0.0.1:{free_port()}"
    assert levels(await look_at_models(a_settings(data_folder, provider_hosts=nothing))) == [
        "warning"
    ]


async def test_the_installation_fits() -> None:
    found = await look_at_installation()
    assert levels(found) == ["ok", "ok"]
    assert "prefect 3.8.8" in found[1].text


def test_secrets_and_logins_are_hidden(data_folder: Path) -> None:
    shown = shown_settings(
        a_settings(
            data_folder,
            token=SecretStr("secret-1"),
            admin_password=SecretStr("secret-2"),
            database_url=SecretStr("postgresql://ada:secret-3@db:5432/registry"),
            prefect_api_url="http://ada:secret-4@prefect:4200/api",
            prefect_api_auth_string=SecretStr("admin:secret-5"),
            otel_endpoint="http://ada:secret-6@collector:4318",
        )
    )
    assert "secret-" not in str(shown)
    assert shown["PREFECT_API_URL"] == "http://prefect:4200/api"
    assert shown["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4318"
    assert shown["PROMPTOPS_DATABASE_URL"].startswith("the PostgreSQL database registry at db:5432")


def spoil(data: Path) -> None:
    (data / "engine.sock").mkdir()
    data.chmod(0o777)


async def test_what_a_start_would_refuse_in_the_data_folder_is_a_problem(
    data_folder: Path,
) -> None:
    settings = a_settings(data_folder, token=SecretStr(TOKEN))
    async with running_platform(settings) as platform:
        await new_connection(platform)
    (data_folder / "secret.key").unlink()
    before = files(data_folder)
    (key,) = [each for each in await look_at_database(settings) if each.level == "problem"]
    assert "secret.key is missing" in key.text
    assert files(data_folder) == before
    (data_folder / "promptops.db").unlink()
    assert "promptops up --new" in only(await look_at_database(settings)).remedy
    spoil(data_folder)
    assert levels(await look_at_folder(settings))[-2:] == ["problem", "warning"]
