"""`promptops key` and `promptops set-password`, beside a running platform and without one."""

import asyncio
import subprocess
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from harness.commands import run_command
from harness.platform import (
    WAIT_SECONDS,
    DatabaseKind,
    RunningPlatform,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from promptops_platform.clock import SystemClock
from promptops_platform.lifecycle import Platform
from promptops_platform.settings import Settings


async def promptops(
    settings: Settings, *arguments: str, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the command on the same database."""
    env = {"PROMPTOPS_DATA": str(settings.data)}
    if settings.database_url is not None:
        env["PROMPTOPS_DATABASE_URL"] = settings.database_url.get_secret_value()
    return await asyncio.to_thread(run_command, [*arguments], env, typed)


async def refused(settings: Settings, *arguments: str, typed: str = "") -> str:
    done = await promptops(settings, *arguments, typed=typed)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


async def status(platform: RunningPlatform, key: str) -> int:
    async with platform.client(key) as client:
        return (await client.get("/api/sdk/prompts/nothing")).status_code


async def test_a_key_is_made_listed_and_revoked_beside_a_running_platform(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder, empty=True)
    async with running_platform(settings) as platform:
        made = await promptops(settings, "key", "create", "--name", "shop", "--env", "dev")
        assert made.returncode == 0, made.stderr
        key = made.stdout.strip()
        assert made.stdout == f"{key}\n"
        assert key not in made.stderr
        assert await status(platform, key) == 403, "it asks for prod"
        async with platform.watch(token=key, namespace="dev") as watcher:
            listed = (await promptops(settings, "key", "list", "--prefix", key[:8])).stdout
            assert "shop" in listed
            assert "made by command line (command line)" in listed
            assert key not in listed
            revoked = await promptops(settings, "key", "revoke", key[:12])
            assert revoked.returncode == 0, revoked.stderr
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(watcher.recv(), WAIT_SECONDS)
        assert await status(platform, key) == 401
        entries = (await platform.http.get("/api/audit?resource=api_key")).json()["data"]
        assert [entry["actor"] for entry in entries] == ["command line"] * 2


async def test_a_password_is_set_and_ends_the_sessions(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder, empty=True)
    async with running_platform(settings) as platform:
        login = {"username": "admin", "password": "admin"}
        token = (await platform.http.post("/api/login", json=login)).json()["token"]
        done = await promptops(settings, "set-password", "admin", typed="another one\n")
        assert done.returncode == 0, done.stderr
        assert "another one" not in done.stdout + done.stderr
        authenticator = platform.platform.access.authenticator
        async with asyncio.timeout(WAIT_SECONDS):
            while authenticator.actor(token) is not None:
                await asyncio.sleep(0.01)
        again = await platform.http.post("/api/login", json=login)
        assert again.status_code == 401
        login["password"] = "another one"
        assert (await platform.http.post("/api/login", json=login)).status_code == 200


async def test_a_folder_where_no_platform_has_run_is_left_alone(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    """A key made there would open nothing, and the wrong folder would look like a registry."""
    settings = await new_settings(database_kind, postgres, data_folder, empty=True)
    for arguments in (("key", "create", "--name", "shop"), ("key", "list")):
        assert "no PromptOps has run" in await refused(settings, *arguments)
    assert not has_registry(data_folder)
    await started_once(settings)
    assert (await promptops(settings, "key", "list")).returncode == 0


def has_registry(folder: Path) -> bool:
    return (folder / "promptops.db").exists()


async def started_once(settings: Settings) -> None:
    """Make the registry as a first start does."""
    platform = Platform(settings, SystemClock())
    await platform.prepare()
    await platform.stop()


async def test_what_can_not_be_done_is_one_sentence(data_folder: Path) -> None:
    settings = Settings(data=data_folder)
    await started_once(settings)
    assert "no account 'ada'" in await refused(settings, "set-password", "ada", typed="x\n")
    assert "empty" in await refused(settings, "set-password", "admin", typed="\n")
    assert "begins with" in await refused(settings, "key", "revoke", "pok_nothing")
    create = ("key", "create", "--name", "shop")
    assert "'soon'" in await refused(settings, *create, "--expires-in", "soon")
    assert "'nowhere'" in await refused(settings, *create, "--workspace", "nowhere")
    assert "' '" in await refused(settings, *create, "--env", "two words")


async def test_a_beginning_that_two_keys_share_revokes_none(data_folder: Path) -> None:
    settings = Settings(data=data_folder)
    await started_once(settings)
    for name in ("one", "two"):
        assert (await promptops(settings, "key", "create", "--name", name)).returncode == 0
    assert "2 API keys" in await refused(settings, "key", "revoke", "pok_")
    listed = (await promptops(settings, "key", "list")).stdout.splitlines()
    assert [line.split("\t")[2] for line in listed] == ["two", "one"]
