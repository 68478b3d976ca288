"""Changing the own password: all sessions of the user end."""

import asyncio
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from harness.callers import PASSWORD, as_caller, login, me, new_account, new_api_key
from harness.platform import (
    TOKEN,
    WAIT_SECONDS,
    DatabaseKind,
    RunningPlatform,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres

URL = "/api/me/password"


def body(current: str = PASSWORD, new: str = "a better one") -> dict[str, str]:
    return {"current_password": current, "new_password": new}


async def test_all_sessions_and_watches_end(platform: RunningPlatform) -> None:
    account = await new_account(platform)
    other = (await login(platform, username=account.name, password=PASSWORD)).json()["token"]
    stranger = await new_account(platform)
    async with (
        as_caller(platform, account.token) as client,
        platform.watch(token=other) as watcher,
        platform.watch(token=stranger.token) as unconcerned,
    ):
        assert (await client.put(URL, json=body())).json() == {"ok": True}
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(watcher.recv(), WAIT_SECONDS)
        assert watcher.close_code == 4401
        for token in (account.token, other):
            assert (await me(platform, token)).status_code == 401
        assert (await me(platform, stranger.token)).status_code == 200
        await unconcerned.ping()
    old = await login(platform, username=account.name, password=PASSWORD)
    assert old.status_code == 401
    new = await login(platform, username=account.name, password="a better one")
    assert new.status_code == 200


async def test_a_wrong_current_password_changes_nothing(platform: RunningPlatform) -> None:
    account = await new_account(platform)
    async with as_caller(platform, account.token) as client:
        wrong = await client.put(URL, json=body(current="wrong"))
        assert wrong.status_code == 400
        assert "current_password" in wrong.json()["error"]
        assert (await client.get("/api/me")).status_code == 200
    assert (await login(platform, username=account.name, password=PASSWORD)).status_code == 200


async def test_guessing_it_is_throttled_as_logins_are(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        account = await new_account(platform)
        async with as_caller(platform, account.token) as client:
            for _ in range(10):
                assert (await client.put(URL, json=body(current="wrong"))).status_code == 400
            late = await client.put(URL, json=body())
            assert late.status_code == 429
            assert int(late.headers["retry-after"]) > 0
            # It locks the session out, and not the owner.
            again = await login(platform, username=account.name, password=PASSWORD)
            assert again.status_code == 200


async def test_who_has_no_password_is_told_so(platform: RunningPlatform) -> None:
    key = await new_api_key(platform, role="admin")
    for token in (TOKEN, key["key"]):
        async with as_caller(platform, token) as client:
            answer = await client.put(URL, json=body())
            assert answer.status_code == 400
            assert "no password" in answer.json()["error"]


async def test_of_two_changes_at_once_one_wins(platform: RunningPlatform) -> None:
    account = await new_account(platform)
    async with as_caller(platform, account.token) as client:
        answers = await asyncio.gather(
            *(client.put(URL, json=body(new=f"password {number}")) for number in range(2))
        )
    assert 200 in {answer.status_code for answer in answers}
    works = [
        await login(platform, username=account.name, password=f"password {number}")
        for number in range(2)
    ]
    assert sorted(answer.status_code for answer in works) == [200, 401]


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"new_password": "x"}, "current_password: is required"),
        ({"current_password": "S3CRET"}, "new_password: is required"),
        (body(new=""), "new_password"),
        (body(new="S3CRET\u0000"), "U+0000"),
        (body(current="S3CRET\u0000"), "U+0000"),
        (body(new="S3CRET" * 200), "1024"),
    ],
)
async def test_a_bad_body_is_refused_without_repeating_it(
    platform: RunningPlatform, sent: dict[str, str], message: str
) -> None:
    account = await new_account(platform)
    async with as_caller(platform, account.token) as client:
        answer = await client.put(URL, json=sent)
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert "S3CRET" not in answer.text
