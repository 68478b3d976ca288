"""`promptops backup` and `restore`: the restored platform is the same, and programs go on."""

import asyncio
import gzip
import io
import json
import sqlite3
import subprocess
import tarfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.commands import run_command
from harness.platform import (
    TOKEN,
    DatabaseKind,
    RunningPlatform,
    new_data_folder,
    new_settings,
    running_platform,
    until,
)
from harness.postgres import Postgres
from harness.tcp_gate import TcpGate
from promptops import PromptOpsClient
from promptops_platform.ids import new_id
from promptops_platform.settings import Settings


async def promptops(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {"PROMPTOPS_DATA": str(settings.data)}
    if settings.database_url is not None:
        env["PROMPTOPS_DATABASE_URL"] = settings.database_url.get_secret_value()
    return await asyncio.to_thread(run_command, [*arguments], env)


async def refused(settings: Settings, *arguments: str) -> str:
    done = await promptops(settings, *arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def history(data: Path, *flow_runs: str) -> None:
    """A file in the place of Prefect's, with the log beside it that a running server has."""
    path = data / "prefect" / "prefect.db"
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS flow_run (name TEXT)")
        connection.executemany("INSERT INTO flow_run VALUES (?)", [(name,) for name in flow_runs])


def flow_runs(data: Path) -> list[str]:
    with closing(sqlite3.connect(data / "prefect" / "prefect.db")) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM flow_run")]


async def everything(platform: RunningPlatform) -> dict[str, Any]:
    """What the API says of its contents, in the state at this moment."""
    paths = ("prompts", "agents", "workflows", "workspaces", "users", "keys", "providers")
    answers = {path: await platform.http.get(f"/api/{path}") for path in paths}
    assert all(answer.status_code == 200 for answer in answers.values()), answers
    return {path: answer.json()["data"] for path, answer in answers.items()}


@dataclass
class Places:
    """Makes settings with a data folder and a database of their own."""

    kind: DatabaseKind
    postgres: Postgres
    folders: list[Path]

    async def new(self, *, empty: bool = True) -> Settings:
        self.folders.append(new_data_folder())
        return await new_settings(self.kind, self.postgres, self.folders[-1], empty=empty)


@pytest.fixture
async def places(database_kind: DatabaseKind, postgres: Postgres) -> AsyncIterator[Places]:
    import shutil

    places = Places(database_kind, postgres, [])
    yield places
    for folder in places.folders:
        shutil.rmtree(folder)


@asynccontextmanager
async def writes(platform: RunningPlatform, key: str) -> AsyncIterator[Callable[[], int]]:
    """Publish one version after the other; the function says how many there are."""
    prompt = await platform.create(key, env="prod", content="0")
    done = 0

    async def publish() -> None:
        nonlocal done
        while True:
            body = {"content": str(done)}
            await platform.http.put(f"/api/prompts/{prompt['id']}", json=body)
            await platform.publish(prompt["id"])
            done += 1

    task = asyncio.create_task(publish())
    try:
        yield lambda: done
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.trial
async def test_a_backup_made_while_others_write_is_the_same_platform(
    places: Places, tmp_path: Path
) -> None:
    old, new = await places.new(empty=False), await places.new()
    file, secret = tmp_path / "one.backup", "sk-" + "a" * 30
    history(old.data, "first")
    gate = TcpGate(0)
    async with running_platform(old) as platform:
        body = {"name": "theirs", "kind": "mock", "api_key": secret}
        assert (await platform.http.post("/api/providers", json=body)).status_code == 200
        kept = await platform.create("kept", env="prod", content="Hello {{name}}")
        await platform.publish(kept["id"])
        before = await everything(platform)
        async with writes(platform, "busy") as written:
            await until(lambda: written() >= 2)
            start = written()
            made = await promptops(old, "backup", str(file))
            end = written()
        assert made.returncode == 0, made.stderr
        assert "with Prefect's history" in made.stdout
        assert "secret.key" in made.stdout
        gate._target_port = platform.port
        await gate.open()
        client = PromptOpsClient(f"http://127.0.0.1:{gate.port}", token=TOKEN)
        try:
            assert await asyncio.to_thread(client.render, "kept", {"name": "you"}) == "Hello you"
            client.watch()
            # Made after the backup: the restored platform has never heard of it.
            body = {"content": "Good bye {{name}}"}
            await platform.http.put(f"/api/prompts/{kept['id']}", json=body)
            await platform.publish(kept["id"])
            await until(lambda: client.render("kept", {"name": "you"}) == "Good bye you")
            await gate.shut()
            await goes_on(places, gate, client, old, new, file, before, (start, end))
        finally:
            client.close()
            await gate.shut()
    assert secret.encode() not in gzip.decompress(file.read_bytes())


async def goes_on(
    places: Places,
    gate: TcpGate,
    client: PromptOpsClient,
    old: Settings,
    new: Settings,
    file: Path,
    before: dict[str, Any],
    written: tuple[int, int],
) -> None:
    checked = await promptops(new, "restore", "--check", str(file))
    assert "is sound" in checked.stdout, checked.stderr
    restored = await promptops(new, "restore", str(file))
    assert restored.returncode == 0, restored.stderr
    assert "put secret.key of that platform" in restored.stdout
    assert flow_runs(new.data) == ["first"]
    (new.data / "secret.key").write_bytes((old.data / "secret.key").read_bytes())
    async with running_platform(new) as platform:
        after = await everything(platform)
        busy = [prompt for prompt in after["prompts"] if prompt["key"] == "busy"]
        after["prompts"] = [prompt for prompt in after["prompts"] if prompt["key"] != "busy"]
        assert after == before
        versions = await platform.http.get(f"/api/prompts/{busy[0]['id']}/versions")
        # As it was at one moment between both: no version without the change that announced it.
        assert written[0] <= len(versions.json()["data"]) <= written[1] + 1
        gate._target_port = platform.port
        await gate.open()
        await until(lambda: client.render("kept", {"name": "you"}) == "Hello you")
        kept = next(prompt for prompt in after["prompts"] if prompt["key"] == "kept")
        await platform.http.put(f"/api/prompts/{kept['id']}", json={"content": "Again {{name}}"})
        await platform.publish(kept["id"])
        await until(lambda: client.render("kept", {"name": "you"}) == "Again you")


async def test_existing_data_is_replaced_when_asked_only(places: Places, tmp_path: Path) -> None:
    settings, file = await places.new(empty=False), tmp_path / "one.backup"
    history(settings.data, "first")
    async with running_platform(settings) as platform:
        await platform.create("kept", env="prod")
        assert (await promptops(settings, "backup", str(file))).returncode == 0
        assert "exists already" in await refused(settings, "backup", str(file))
        await platform.create("later", env="prod")
        if settings.database_url is None:
            # Its lock is that of `promptops up`, which the platform of a test does not take.
            assert "exists; restore into another data folder" in await refused(
                settings, "restore", str(file)
            )
        else:
            (settings.data / "instance").rename(tmp_path / "instance")
            (settings.data / "prefect").rename(tmp_path / "prefect")
            assert "has the tables of a PromptOps" in await refused(settings, "restore", str(file))
            assert "a platform runs on" in await refused(
                settings, "restore", "--replace", str(file)
            )
    done = await promptops(settings, "restore", "--replace", str(file))
    assert done.returncode == 0, done.stderr
    async with running_platform(settings) as platform:
        assert [prompt["key"] for prompt in (await everything(platform))["prompts"]] == ["kept"]
    if settings.database_url is None:
        aside = [path.name for path in settings.data.glob("replaced-*/*")]
        assert {"promptops.db", "instance"} <= set(aside)


async def test_what_can_not_be_restored_says_why_and_changes_nothing(
    places: Places, tmp_path: Path
) -> None:
    old, new = await places.new(empty=False), await places.new()
    file = tmp_path / "one.backup"
    assert "there is nothing at" in await refused(new, "backup", str(file))
    assert (await promptops(old, "backup", str(file))).returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600

    def altered(**changes: Any) -> str:
        path = tmp_path / f"{new_id()}.backup"
        with tarfile.open(file) as source, tarfile.open(path, "w:gz") as target:
            for entry in source:
                content = source.extractfile(entry)
                assert content is not None
                text = content.read()
                if entry.name == "manifest.json":
                    text = json.dumps({**json.loads(text), **changes}).encode()
                elif changes.get("damage"):
                    text = text[:-1] + b"?"
                entry.size = len(text)
                target.addfile(entry, io.BytesIO(text))
        return str(path)

    sentences = {
        altered(format=2, release="9.0"): "made by PromptOps 9.0, which is newer",
        altered(schema="9999"): "has schema 9999, which this release does not know",
        altered(members={}): "damaged",
        str(tmp_path / "none"): "does not exist",
        str(Path(__file__)): "is not a backup of PromptOps",
    }
    for path, sentence in sentences.items():
        assert sentence in await refused(new, "restore", path), path
    cut = tmp_path / "cut"
    cut.write_bytes(file.read_bytes()[:-100])
    assert "damaged" in await refused(new, "restore", str(cut))
    left = [path.name for path in new.data.iterdir() if path.name != "lock"]
    assert left == []


async def test_a_backup_of_the_other_database_is_refused(
    postgres: Postgres, tmp_path: Path
) -> None:
    sqlite, other = Places("sqlite", postgres, []), Places("postgresql", postgres, [])
    file = tmp_path / "one.backup"
    assert (await promptops(await sqlite.new(empty=False), "backup", str(file))).returncode == 0
    assert "the backup is of SQLite" in await refused(await other.new(), "restore", str(file))
