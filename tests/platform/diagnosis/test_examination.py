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
from promptops_platform.diagnosis.database import check_database
from promptops_platform.diagnosis.elsewhere import (
    check_models,
    check_token,
    check_traces,
)
from promptops_platform.diagnosis.examination import examine
from promptops_platform.diagnosis.finding import Finding
from promptops_platform.diagnosis.folder import check_folder
from promptops_platform.diagnosis.installation import check_installation
from promptops_platform.diagnosis.running import check_platform, check_prefect
from promptops_platform.diagnosis.shown_settings import shown_settings
from promptops_platform.settings import Settings


def a_settings(data: Path, **changes: Any) -> Settings:
    fields = {"data": data, "addr": f"127.0.0.1:{free_port()}", "prefect_port": free_port()}
    # No host of a vendor: tests leave this machine alone.
    return Settings(**{**fields, "provider_hosts": "127.0.0.1:9", **changes})


def only(findings: Sequence[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


def levels(findings: Sequence[Finding]) -> list[str]:
    return [finding.level for finding in findings]


def files(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
    }


async def test_before_the_first_start_nothing_is_wrong_and_nothing_is_made(
    data_folder: Path,
) -> None:
    settings = a_settings(data_folder / "data")
    findings = await examine(settings)
    assert "problem" not in levels(findings), findings
    assert files(data_folder) == {}


async def test_a_folder_that_was_used_is_left_as_it_is(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings):
        pass
    before = files(data_folder)
    findings = await check_database(settings)
    assert findings[0].level == "ok", findings
    assert "this release's schema" in findings[0].text
    assert files(data_folder) == before


async def test_it_looks_into_the_database_of_a_platform_that_runs(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings):
        by_check = {finding.check: finding for finding in await check_database(settings)}
    assert by_check["database"].level == "ok"
    assert by_check["secrets"].level == "warning"
    assert by_check["secrets"].remedy == "promptops set-password admin"
    if database_kind == "postgresql":
        assert by_check["clock"].level == "ok"


async def test_default_secrets_are_a_problem_in_production(data_folder: Path) -> None:
    async with running_platform(a_settings(data_folder)):
        pass
    settings = a_settings(data_folder, env="production")
    findings = [*await check_token(settings), *await check_database(settings)]
    assert [finding.level for finding in findings if finding.check == "secrets"] == [
        "problem",
        "problem",
    ]
    own = a_settings(data_folder, token=SecretStr("my own"))
    assert levels(await check_token(own)) == ["ok"]


async def test_a_foreign_database_is_named_and_untouched(data_folder: Path) -> None:
    settings = a_settings(data_folder)
    connection = sqlite3.connect(data_folder / "promptops.db")
    connection.execute("CREATE TABLE invoices (id)")
    connection.close()
    before = files(data_folder)
    finding = only(await check_database(settings))
    assert finding.level == "problem"
    assert "did not make (invoices)" in finding.text
    assert files(data_folder) == before


async def test_a_newer_and_an_older_schema_are_told_apart(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    for revision, level in (("9999", "problem"), ("0001", "warning")):
        database = Database(settings.database_location)
        await migrate(database.engines)
        async with database.engines.writer.begin() as connection:
            was = await connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
            await connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'"))
        finding = only(await check_database(settings))
        assert finding.level == level, finding
        assert revision in finding.text
        async with database.engines.writer.begin() as connection:
            assert (
                await connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
                == revision
            )
            await connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{was}'"))
        await database.close()


async def test_a_broken_file_is_a_problem(data_folder: Path) -> None:
    (data_folder / "promptops.db").write_bytes(b"this is no database " * 500)
    finding = only(await check_database(a_settings(data_folder)))
    assert finding.level == "problem"
    assert "not a database" in finding.text


async def test_an_empty_database_is_fine(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder, empty=True)
    finding = only(await check_database(settings))
    assert finding.level == "ok"
    assert files(data_folder) == {}


@pytest.mark.parametrize("silent", [False, True], ids=["refuses", "never answers"])
async def test_a_database_that_can_not_be_reached_is_a_problem(
    data_folder: Path, *, silent: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1] if silent else free_port()
        url = SecretStr(f"postgresql://ada:secret-word@127.0.0.1:{port}/registry")
        settings = a_settings(data_folder, database_url=url)
        finding = only(await check_database(settings, seconds=0.5))
    assert finding.level == "problem"
    assert f"127.0.0.1:{port}" in finding.text
    assert "secret-word" not in finding.text


async def test_a_locked_folder_names_who_holds_it(data_folder: Path) -> None:
    settings = a_settings(data_folder)
    with DataFolderLock(data_folder):
        findings = await check_folder(settings)
        assert "in use by the PromptOps with pid" in findings[0].text
        # That platform does not answer: it was started on another address.
        assert only(await check_platform(settings)).level == "problem"
    assert "no platform runs on it" in (await check_folder(settings))[0].text


async def test_folders_that_can_not_be_used(data_folder: Path) -> None:
    file = data_folder / "file"
    file.write_text("")
    assert (await check_folder(a_settings(file)))[0].level == "problem"
    deep = data_folder / ("x" * 120)
    assert (await check_folder(a_settings(deep)))[-1].remedy.startswith("set PROMPTOPS_DATA")


async def test_a_taken_port_is_a_problem(data_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finding = only(await check_platform(a_settings(data_folder, addr=f"127.0.0.1:{port}")))
    assert finding.level == "problem"
    assert f"127.0.0.1:{port}" in finding.text


async def test_prefect_by_version_login_and_absence(
    data_folder: Path, prefect_server: PrefectServer
) -> None:
    async def look(url: str, auth: str | None) -> Finding:
        secret = SecretStr(auth) if auth else None
        settings = a_settings(data_folder, prefect_api_url=url, prefect_api_auth_string=secret)
        return only(await check_prefect(settings))

    assert (await look(prefect_server.api_url, prefect_server.auth)).level == "ok"
    refused = await look(prefect_server.api_url, "admin:wrong")
    assert refused.level == "problem"
    assert "refuses the login" in refused.text
    away = await look(f"http://127.0.0.1:{free_port()}/api", None)
    assert away.level == "problem"
    assert "no Prefect server answers" in away.text


async def test_a_server_that_is_no_prefect_is_told(data_folder: Path) -> None:
    async with running_platform(a_settings(data_folder)) as other:
        url = f"http://127.0.0.1:{other.port}/api"
        finding = only(await check_prefect(a_settings(data_folder, prefect_api_url=url)))
    assert finding.level == "problem"


async def test_collectors_and_models(data_folder: Path) -> None:
    with otlp_collector() as collector:
        settings = a_settings(data_folder, otel_endpoint=collector.url)
        assert levels(await check_traces(settings)) == ["ok"]
        hosts = collector.url.removeprefix("http://")
        assert levels(await check_models(a_settings(data_folder, provider_hosts=hosts))) == ["ok"]
    assert levels(await check_traces(settings)) == ["warning"]
    nothing = f"127.0.0.1:{free_port()}"
    assert levels(await check_models(a_settings(data_folder, provider_hosts=nothing))) == [
        "warning"
    ]


async def test_the_installation_fits() -> None:
    findings = await check_installation()
    assert levels(findings) == ["ok", "ok"]
    assert "prefect 3.8.8" in findings[1].text


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
    (key,) = [finding for finding in await check_database(settings) if finding.level == "problem"]
    assert "secret.key is missing" in key.text
    assert files(data_folder) == before
    (data_folder / "promptops.db").unlink()
    assert "promptops up --new" in only(await check_database(settings)).remedy
    spoil(data_folder)
    assert levels(await check_folder(settings))[-2:] == ["problem", "warning"]
