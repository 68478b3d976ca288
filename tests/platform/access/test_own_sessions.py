"""Signing out everywhere: the sessions of the own account end, all of them or the others."""

import asyncio
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from harness.callers import PASSWORD, Account, as_caller, login, me, new_account, new_api_key
from harness.platform import TOKEN, WAIT_SECONDS, RunningPlatform
from harness.trail import listed

URL = "/api/me/sessions"


async def another_session(platform: RunningPlatform, account: Account) -> str:
    answer = await login(platform, username=account.name, password=PASSWORD)
    token: str = answer.json()["token"]
    return token


async def end_sessions(platform: RunningPlatform, token: str, **query: Any) -> Any:
    async with as_caller(platform, token) as client:
        answer = await client.delete(URL, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def logouts(platform: RunningPlatform, account: Account) -> list[str]:
    entries = await listed(platform, actor=account.name, action="logout")
    return [entry["summary"] for entry in entries]


async def test_all_sessions_and_watches_of_the_account_end(platform: RunningPlatform) -> None:
    account, stranger = await new_account(platform), await new_account(platform)
    other = await another_session(platform, account)
    async with (
        platform.watch(token=other) as watcher,
        platform.watch(token=stranger.token) as unconcerned,
    ):
        assert await end_sessions(platform, account.token) == {"data": {"ended": 2}}
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(watcher.recv(), WAIT_SECONDS)
        assert watcher.close_code == 4401
        for token in (account.token, other):
            assert (await me(platform, token)).status_code == 401
        assert (await me(platform, stranger.token)).status_code == 200
        await unconcerned.ping()
    assert await logouts(platform, account) == ["ended all sessions: 2"]
    assert (await login(platform, username=account.name, password=PASSWORD)).status_code == 200


async def test_the_current_session_can_stay(platform: RunningPlatform) -> None:
    account = await new_account(platform)
    others = [await another_session(platform, account) for _ in range(2)]
    async with platform.watch(token=account.token) as watcher:
        assert await end_sessions(platform, account.token, keep_current=True) == {
            "data": {"ended": 2}
        }
        for token in others:
            assert (await me(platform, token)).status_code == 401
        assert (await me(platform, account.token)).status_code == 200
        await watcher.ping()
    assert await logouts(platform, account) == ["ended all other sessions: 2"]
    assert await end_sessions(platform, account.token, keep_current=True) == {"data": {"ended": 0}}
    assert len(await logouts(platform, account)) == 1


async def test_the_keys_of_the_account_stay(platform: RunningPlatform) -> None:
    account = await new_account(platform, "admin")
    async with as_caller(platform, account.token) as client:
        key = (await new_api_key(platform, client, role="viewer"))["key"]
    await end_sessions(platform, account.token)
    assert (await me(platform, account.token)).status_code == 401
    assert (await me(platform, key)).status_code == 200


async def test_a_token_without_an_account_has_no_sessions_to_end(
    platform: RunningPlatform,
) -> None:
    key = await new_api_key(platform, role="admin")
    account = await new_account(platform)
    for token in (TOKEN, key["key"]):
        async with as_caller(platform, token) as client:
            answer = await client.delete(URL)
        assert answer.status_code == 400
        assert "belongs to no account" in answer.json()["error"]
    assert (await me(platform, account.token)).status_code == 200
