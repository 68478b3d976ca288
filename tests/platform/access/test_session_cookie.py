"""The console's session: a cookie, and the token that every change repeats."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from sqlalchemy import update
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from harness.callers import login, new_api_key
from harness.people import sent
from harness.platform import TOKEN, RunningPlatform, new_key
from promptops_platform.access.tables import UserRow

ADMIN = {"username": "admin", "password": "admin"}


@asynccontextmanager
async def console(platform: RunningPlatform) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """A browser that is logged in, and its CSRF token."""
    async with platform.client(None) as browser:
        answer = await browser.post("/api/session", json=ADMIN)
        assert answer.status_code == 200, answer.text
        yield browser, answer.json()["data"]["csrf_token"]


async def test_a_login_puts_the_session_where_no_script_reads_it(platform: RunningPlatform) -> None:
    async with platform.client(None) as browser:
        assert (await browser.get("/api/session")).json()["data"] is None
        answer = await browser.post("/api/session", json=ADMIN)
        cookie = answer.headers["set-cookie"]
        assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/"))
        assert "pos_" not in answer.text
        assert answer.headers["cache-control"] == "no-store"
        session = (await browser.get("/api/session")).json()["data"]
        assert session == answer.json()["data"]
        assert session["username"] == "admin"
        assert session["default_secrets"] == ["password"]
        assert (await browser.get("/api/prompts")).status_code == 200


async def test_nobody_is_told_of_the_default_account_while_it_is_one(
    platform: RunningPlatform,
) -> None:
    async def default_account(browser: httpx.AsyncClient) -> bool:
        state: bool = (await browser.get("/api/session")).json()["default_account"]
        return state

    async def mark(has_default: bool) -> None:
        async with platform.platform.database.write() as transaction:
            changed = update(UserRow).where(UserRow.username == "admin")
            await transaction.session.execute(changed.values(has_default_password=has_default))

    async with platform.client(None) as browser:
        assert await default_account(browser)
        await mark(False)
        assert not await default_account(browser)
        await mark(True)
        await browser.post("/api/session", json=ADMIN)
        assert not await default_account(browser), "who has a session finds it in there"


async def test_a_token_opens_a_session_as_well(platform: RunningPlatform) -> None:
    async with platform.client(None) as browser:
        answer = await browser.post("/api/session", json={"token": TOKEN})
        assert answer.json()["data"]["has_account"] is False
        assert (await browser.get("/api/me")).json()["username"] == "admin"
        assert (await browser.post("/api/session", json={"token": "wrong"})).status_code == 401


@pytest.mark.parametrize("manages_accounts", [False, True])
async def test_a_session_tells_whether_its_key_may_change_accounts(
    platform: RunningPlatform, manages_accounts: bool
) -> None:
    token = (await login(platform, **ADMIN)).json()["token"]
    async with platform.client(token) as account, platform.client(None) as browser:
        key = await new_api_key(platform, account, role="admin", manage_accounts=manages_accounts)
        session = sent(await browser.post("/api/session", json={"token": key["key"]}))
        assert session["manages_accounts"] is manages_accounts
        browser.headers["x-csrf-token"] = session["csrf_token"]
        user = {"username": new_key(), "password": "a long password", "role": "viewer"}
        answer = await browser.post("/api/users", json=user)
        assert answer.status_code == (200 if manages_accounts else 403), answer.text


async def test_the_role_is_all_that_decides_about_accounts_for_who_has_one(
    platform: RunningPlatform,
) -> None:
    for credentials in (ADMIN, {"token": TOKEN}):
        async with platform.client(None) as browser:
            session = sent(await browser.post("/api/session", json=credentials))
            assert session["manages_accounts"] is True


async def test_a_change_needs_the_sessions_own_token(platform: RunningPlatform) -> None:
    async with console(platform) as (browser, csrf):
        for headers in ({}, {"x-csrf-token": "0" * 64}):
            answer = await browser.post("/api/prompts", json={"key": new_key()}, headers=headers)
            assert answer.status_code == 403
            assert "x-csrf-token" in answer.json()["error"]
        sent = {"x-csrf-token": csrf}
        assert (
            await browser.post("/api/prompts", json={"key": new_key()}, headers=sent)
        ).is_success


@pytest.mark.parametrize("path", ["/api/prompts", "/api/session"])
async def test_another_origin_changes_nothing(platform: RunningPlatform, path: str) -> None:
    async with console(platform) as (browser, csrf):
        headers = {"x-csrf-token": csrf, "origin": "https://evil.example"}
        answer = await browser.post(path, json={"key": new_key(), **ADMIN}, headers=headers)
        assert answer.status_code == 403
        own = {"x-csrf-token": csrf, "origin": f"http://127.0.0.1:{platform.port}"}
        again = await browser.post(path, json={"key": new_key(), **ADMIN}, headers=own)
        assert again.status_code == 200, again.text


async def test_the_watch_takes_the_cookie_of_its_own_origin_only(platform: RunningPlatform) -> None:
    async with console(platform) as (browser, _):
        cookie = f"promptops_session={browser.cookies['promptops_session']}"
        address = f"ws://127.0.0.1:{platform.port}/ws"
        for origin in (None, "https://evil.example", "null"):
            with pytest.raises(InvalidStatus) as refusal:
                await connect(address, additional_headers={"cookie": cookie}, origin=origin)
            assert refusal.value.response.status_code == 403
        own = f"http://127.0.0.1:{platform.port}"
        async with connect(address, additional_headers={"cookie": cookie}, origin=own):
            pass


async def test_a_logout_ends_the_session_and_takes_the_cookie(platform: RunningPlatform) -> None:
    async with console(platform) as (browser, csrf):
        token = browser.cookies["promptops_session"]
        answer = await browser.post("/api/logout", headers={"x-csrf-token": csrf})
        assert answer.json() == {"ok": True}
        assert "promptops_session" not in browser.cookies
        assert (await browser.get("/api/session")).json()["data"] is None
    async with platform.client(token) as client:
        assert (await client.get("/api/me")).status_code == 401


async def test_signing_out_everywhere_takes_the_cookie_unless_it_stays(
    platform: RunningPlatform,
) -> None:
    async with console(platform) as (browser, csrf):
        headers = {"x-csrf-token": csrf}
        kept = await browser.delete("/api/me/sessions?keep_current=true", headers=headers)
        assert kept.status_code == 200, kept.text
        assert (await browser.get("/api/session")).json()["data"] is not None
        ends = await browser.delete("/api/me/sessions", headers=headers)
        assert ends.json()["data"]["ended"] == 1
        assert "promptops_session" not in browser.cookies
        assert (await browser.get("/api/session")).json()["data"] is None


async def test_a_bearer_token_goes_before_the_cookie(platform: RunningPlatform) -> None:
    async with console(platform) as (browser, _):
        headers = {"authorization": "Bearer wrong"}
        assert (await browser.get("/api/me", headers=headers)).status_code == 401
        headers = {"authorization": f"Bearer {TOKEN}"}
        answer = await browser.post("/api/prompts", json={"key": new_key()}, headers=headers)
        assert answer.status_code == 200
