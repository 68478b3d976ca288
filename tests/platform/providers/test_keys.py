"""Stored keys: readable by nobody, bound to their rows, and encrypted by the right secret key."""

import asyncio
import base64
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text, update

from harness.commands import run_command
from harness.connections import SECRET, URL, new_connection, new_name
from harness.people import sent
from harness.platform import DatabaseKind, RunningPlatform, new_settings, running_platform
from harness.postgres import Postgres
from promptops_platform.access.actor import SYSTEM
from promptops_platform.clock import SystemClock
from promptops_platform.db.tables import Table
from promptops_platform.errors import StartRefused
from promptops_platform.lifecycle import Platform
from promptops_platform.providers.tables import ConnectionRow
from promptops_platform.sealing import KEY_FILE
from promptops_platform.settings import Settings

OLD, NEW = (base64.b64encode(letter * 32).decode() for letter in (b"o", b"n"))


def with_keys(settings: Settings, *keys: str) -> Settings:
    return settings.model_copy(update={"secret_key": SecretStr(",".join(keys))})


async def stored(platform: RunningPlatform) -> str:
    """Everything that the database holds."""
    texts = []
    async with platform.platform.database.read() as transaction:
        for table in Table.metadata.sorted_tables:
            rows = await transaction.session.execute(text(f"SELECT * FROM {table.name}"))
            texts += [str(tuple(row)) for row in rows]
    return "\n".join(texts)


async def key_of(platform: RunningPlatform, name: str) -> str | None:
    """The stored key, as a run gets it."""
    (target,) = platform.platform.providers.lookup.targets("default", [(name, "")], actor=SYSTEM)
    return target.credentials.api_key


async def rewrite(platform: RunningPlatform, connection_id: str, **values: Any) -> None:
    """What somebody does who can write to the database."""
    async with platform.platform.database.write() as transaction:
        await transaction.session.execute(
            update(ConnectionRow).where(ConnectionRow.id == connection_id).values(values)
        )
    await platform.platform.providers.mirror.load()


async def sealed_of(platform: RunningPlatform, connection_id: str) -> str | None:
    async with platform.platform.database.read() as transaction:
        row = await transaction.session.get(ConnectionRow, connection_id)
        assert row is not None
        return row.sealed_key


async def promptops(
    settings: Settings, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command on the same database."""
    env = {"PROMPTOPS_DATA": str(settings.data), **environment}
    if settings.secret_key is not None:
        env["PROMPTOPS_SECRET_KEY"] = settings.secret_key.get_secret_value()
    if settings.database_url is not None:
        env["PROMPTOPS_DATABASE_URL"] = settings.database_url.get_secret_value()
    return await asyncio.to_thread(run_command, [*arguments], env)


async def refused_start(settings: Settings, **environment: str) -> str:
    done = await promptops(settings, "serve", PROMPTOPS_ADDR="127.0.0.1:0", **environment)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "S3CRET" not in done.stderr
    return done.stderr


def files_in(folder: Path) -> dict[str, bytes]:
    """The files as they lie there, a write-ahead log among them perhaps."""
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_a_key_is_in_no_stored_text_no_answer_and_no_log(
    database_kind: DatabaseKind,
    postgres: Postgres,
    data_folder: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder, log_level="debug")
    answers = []
    async with running_platform(settings) as platform:
        made = await new_connection(platform)
        url = f"{URL}/{made['id']}"
        assert await key_of(platform, made["name"]) == SECRET
        taken = {"name": made["name"], "kind": "mock", "api_key": SECRET}
        for method, path, body in (
            ("GET", URL, None),
            ("GET", url, None),
            ("PUT", url, {"api_key": SECRET, "model": "mock-fail-authentication_failed"}),
            ("POST", f"{url}/test", None),
            ("POST", URL, taken),
            ("POST", URL, {**taken, "kind": "watson"}),
            ("PUT", url, {"api_key": f"{SECRET} {SECRET}"}),
            ("PUT", url, {"base_url": "https://evil.example", "api_key": SECRET}),
            ("PUT", url, {"api_key": {"key": SECRET}}),
            ("GET", "/api/audit", None),
            ("GET", "/api/audit/export?format=jsonl", None),
            ("DELETE", url, None),
        ):
            answers.append((await platform.http.request(method, path, json=body)).text)
        kept = await new_connection(platform)
        everything = await stored(platform)
        assert await key_of(platform, kept["name"]) == SECRET
    written = capfd.readouterr()
    for output in (*answers, everything, written.out, written.err):
        assert SECRET not in output
    files = files_in(data_folder)
    assert KEY_FILE in files
    for name, content in files.items():
        assert SECRET.encode() not in content, name


@pytest.mark.parametrize("field", ["base_url", "kind"])
async def test_a_key_is_not_given_out_for_another_address(
    platform: RunningPlatform, field: str
) -> None:
    made = await new_connection(platform, kind="ollama", base_url="http://localhost:1")
    await rewrite(platform, made["id"], **{field: "http://localhost:2"})
    answer = await platform.http.post(f"{URL}/{made['id']}/test")
    assert answer.status_code == 503
    assert answer.json()["code"] == "secret_unreadable"
    assert "encrypted for another place; store the key again" in answer.json()["error"]


async def test_keys_of_two_rows_cant_be_swapped(platform: RunningPlatform) -> None:
    first, second = await new_connection(platform), await new_connection(platform)
    await rewrite(platform, first["id"], sealed_key=await sealed_of(platform, second["id"]))
    assert (await platform.http.post(f"{URL}/{first['id']}/test")).status_code == 503
    assert (await platform.http.post(f"{URL}/{second['id']}/test")).status_code == 200
    # Stored again, it works again.
    sent(await platform.http.put(f"{URL}/{first['id']}", json={"api_key": SECRET}))
    assert await key_of(platform, first["name"]) == SECRET


async def test_a_platform_with_another_secret_key_is_refused_at_its_start(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(with_keys(settings, OLD)) as platform:
        made = await new_connection(platform)
    stranger = Platform(with_keys(settings, NEW), SystemClock())
    with pytest.raises(StartRefused, match=r"another secret key; set PROMPTOPS_SECRET_KEY"):
        await stranger.prepare()
    await stranger.stop()
    async with running_platform(with_keys(settings, OLD)) as platform:
        assert await key_of(platform, made["name"]) == SECRET


async def test_without_stored_keys_any_secret_key_will_do(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(with_keys(settings, OLD)) as platform:
        made = await new_connection(platform)
        sent(await platform.http.put(f"{URL}/{made['id']}", json={"api_key": None}))
    async with running_platform(with_keys(settings, NEW)) as platform:
        sent(await platform.http.put(f"{URL}/{made['id']}", json={"api_key": SECRET}))
        assert await key_of(platform, made["name"]) == SECRET


async def test_of_two_platforms_the_one_with_another_key_stores_none(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    async with (
        running_platform(with_keys(settings, OLD)) as one,
        running_platform(with_keys(settings, NEW)) as other,
    ):
        made = await new_connection(one)
        body = {"name": new_name(), "kind": "mock", "api_key": SECRET}
        for refused in (
            await other.http.post(URL, json=body),
            await other.http.put(f"{URL}/{made['id']}", json={"api_key": SECRET}),
            await other.http.post(f"{URL}/{made['id']}/test"),
        ):
            assert refused.status_code == 503
            assert refused.json()["code"] == "secret_unreadable"
            assert int(refused.headers["retry-after"]) >= 1
        # What needs no key works as ever.
        assert sent(await other.http.get(f"{URL}/{made['id']}"))["has_key"] is True
        assert (await new_connection(other, api_key=None))["id"]
        assert await key_of(one, made["name"]) == SECRET


async def test_a_rotation_needs_no_stop(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(with_keys(settings, OLD)) as platform:
        names = [(await new_connection(platform))["name"] for _ in range(3)]
        await new_connection(platform, api_key=None)
    both = with_keys(settings, NEW, OLD)
    async with running_platform(both) as platform:
        done = await promptops(both, "rotate-secrets")
        assert (done.returncode, done.stderr) == (0, "Encrypted 3 keys again.\n")
        assert [await key_of(platform, name) for name in names] == [SECRET] * 3
    async with running_platform(with_keys(settings, NEW)) as platform:
        assert [await key_of(platform, name) for name in names] == [SECRET] * 3
        assert SECRET not in await stored(platform)
    old = Platform(with_keys(settings, OLD), SystemClock())
    with pytest.raises(StartRefused):
        await old.prepare()
    await old.stop()


async def test_a_rotation_without_the_old_key_changes_nothing_unless_told_to_forget(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    lost, kept = with_keys(settings, NEW), with_keys(settings, OLD)
    async with running_platform(kept) as platform:
        made = await new_connection(platform)
    refused = await promptops(lost, "rotate-secrets")
    assert refused.returncode == 1
    assert refused.stderr.startswith("promptops: nothing was changed: ")
    assert f"{made['name']} (default)" in refused.stderr
    async with running_platform(kept) as platform:
        assert await key_of(platform, made["name"]) == SECRET
    done = await promptops(lost, "rotate-secrets", "--forget-unreadable")
    assert done.returncode == 0, done.stderr
    assert made["name"] in done.stderr
    async with running_platform(lost) as platform:
        connection = sent(await platform.http.get(f"{URL}/{made['id']}"))
        assert (connection["has_key"], connection["key_hint"]) == (False, "")
        page = await platform.http.get("/api/audit", params={"resource_id": made["id"]})
        newest = page.json()["data"][0]
        assert (newest["actor"], newest["before"]["has_key"]) == ("command line", True)


def content_of(database: Path) -> list[str]:
    """All rows. Not the file's bytes: what its log holds may be moved into it at any close."""
    with closing(sqlite3.connect(database)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return [
            str(row)
            for (name,) in sorted(tables)
            for row in connection.execute(f"SELECT * FROM {name}")
        ]


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("S3CRET")])
async def test_a_lost_or_mangled_key_file_is_said_at_the_start(
    data_folder: Path, postgres: Postgres, spoil: Callable[[Path], object]
) -> None:
    settings = await new_settings("sqlite", postgres, data_folder)
    async with running_platform(settings) as platform:
        await new_connection(platform)
    before = content_of(data_folder / "promptops.db")
    spoil(data_folder / KEY_FILE)
    assert "secret.key" in await refused_start(settings)
    assert content_of(data_folder / "promptops.db") == before


async def test_a_wrong_setting_is_named_and_not_repeated(
    data_folder: Path, postgres: Postgres
) -> None:
    settings = await new_settings("sqlite", postgres, data_folder)
    refusal = await refused_start(settings, PROMPTOPS_SECRET_KEY="S3CRET")
    assert refusal.startswith("promptops: PROMPTOPS_SECRET_KEY: a key must be 32 bytes")
