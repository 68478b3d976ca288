"""Default secrets: refused in production, and elsewhere for callers on this machine only."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from harness.platform import DatabaseKind, new_settings
from harness.postgres import Postgres
from harness.processes import eventually
from harness.up import promptops
from promptops_platform.access.actor import COMMAND_LINE
from promptops_platform.clock import SystemClock
from promptops_platform.errors import StartRefused
from promptops_platform.lifecycle import Platform
from promptops_platform.settings import DEFAULT_TOKEN, Settings

OWN = {"token": SecretStr("a token of our own"), "admin_password": SecretStr("of our own, too")}


async def prepared(settings: Settings, **changes: Any) -> Platform:
    """A platform after what a start does before it serves; stop it."""
    platform = Platform(settings.model_copy(update=changes), SystemClock())
    try:
        await platform.prepare()
    except StartRefused:
        await platform.stop()
        raise
    return platform


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        ({"token": SecretStr(DEFAULT_TOKEN)}, "set PROMPTOPS_TOKEN"),
        ({"admin_password": None}, "set PROMPTOPS_ADMIN_PASSWORD"),
        (
            {"admin_password": SecretStr("admin")},
            "PROMPTOPS_ADMIN_PASSWORD: is a well-known default",
        ),
        (
            {"admin_password": SecretStr(" Admin\n")},
            "PROMPTOPS_ADMIN_PASSWORD: is a well-known default",
        ),
        ({"admin_password": SecretStr("   ")}, "set PROMPTOPS_ADMIN_PASSWORD|is too short"),
        ({"admin_password": SecretStr("seven77")}, "PROMPTOPS_ADMIN_PASSWORD: is too short"),
        ({"token": SecretStr(f" {DEFAULT_TOKEN}\n")}, "set PROMPTOPS_TOKEN"),
        ({"token": SecretStr(DEFAULT_TOKEN.upper())}, "set PROMPTOPS_TOKEN"),
        ({"token": SecretStr("fifteen letters")}, "PROMPTOPS_TOKEN is too short"),
        ({"token": SecretStr("  fifteen letters  ")}, "PROMPTOPS_TOKEN is too short"),
    ],
)
async def test_a_default_secret_is_refused_and_leaves_no_account(
    database_kind: DatabaseKind,
    postgres: Postgres,
    data_folder: Path,
    secrets: dict[str, Any],
    message: str,
) -> None:
    settings = await new_settings(
        database_kind, postgres, data_folder, empty=True, env="production", **OWN
    )
    with pytest.raises(StartRefused, match=message):
        await prepared(settings, **secrets)
    platform = await prepared(settings)
    async with platform.database.read() as transaction:
        assert await platform.access.accounts.default_passwords(transaction) == []
        users, _ = await platform.access.users.search(transaction)
        assert [row.username for row in users] == ["admin"]
    await platform.stop()


async def test_a_database_of_development_is_refused_until_its_password_is_changed(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(
        database_kind, postgres, data_folder, empty=True, token=OWN["token"]
    )
    await (await prepared(settings)).stop()
    with pytest.raises(StartRefused, match="promptops set-password admin"):
        await prepared(settings, env="production", **OWN)
    platform = await prepared(settings)
    async with platform.database.write() as transaction:
        await platform.access.users.set_password(
            transaction, "admin", "of our own", actor=COMMAND_LINE
        )
    await platform.stop()
    await (await prepared(settings, env="production")).stop()


async def test_a_weak_first_password_is_refused_in_development_but_for_the_default(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder, empty=True)
    for weak in ("seven77", " admin "):
        with pytest.raises(StartRefused, match="PROMPTOPS_ADMIN_PASSWORD"):
            await prepared(settings, admin_password=SecretStr(weak))
    await (await prepared(settings, admin_password=SecretStr("admin"))).stop()


def test_a_token_has_no_blanks_around_it() -> None:
    assert Settings(token=SecretStr(" a token\n")).token.get_secret_value() == "a token"
    with pytest.raises(ValidationError, match="blank"):
        Settings(token=SecretStr("  "))


def test_in_production_no_other_origin_may_call_unless_named() -> None:
    assert Settings(env="production").origins == []
    assert Settings(env="production", cors_origins="https://a.example").origins == [
        "https://a.example"
    ]


@pytest.mark.parametrize(
    ("settings", "hosts"),
    [
        ({}, "127.0.0.1"),
        ({"token": "a token of our own"}, "127.0.0.1"),
        ({"admin_password": "of our own"}, "127.0.0.1"),
        ({"token": "a token of our own", "admin_password": "of our own"}, "0.0.0.0"),
    ],
)
def test_while_a_default_secret_is_in_use_only_this_machine_can_connect(
    settings: dict[str, str], hosts: str
) -> None:
    with promptops("serve", {"addr": ":0", **settings}) as platform:
        platform.launch()
        eventually(lambda: "Stop with Ctrl-C" in platform.text)
        match = re.search(r"ready: http://([0-9.]+):", platform.text)
        assert match is not None
        assert match[1] == hosts
        assert platform.stop() == 0


def test_a_refused_start_is_one_sentence() -> None:
    with promptops("serve", {"env": "production"}) as platform:
        platform.launch()
        assert platform.wait() == 1
        assert platform.log.startswith("promptops: PROMPTOPS_ENV is production and the static")
        assert len(platform.log.strip().splitlines()) == 1
