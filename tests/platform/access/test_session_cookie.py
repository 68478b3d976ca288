"""The console's session: a cookie, and the token that every change repeats."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from harness.platform import TOKEN, RunningPlatform, new_key

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
        assert (await browser.get("/api/session")).json() == {"data": None}
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


async def test_a_token_opens_a_session_as_well(platform: RunningPlatform) -> None:
    async with platform.client(None) as browser:
        answer = await browser.post("/api/session", json={"token": TOKEN})
        assert answer.json()["data"]["has_account"] is False
        assert (await browser.get("/api/me")).json()["username"] == "admin"
        assert (await browser.post("/api/session", json={"token": "wrong"})).status_code == 401


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
        assert (await browser.get("/api/session")).json() == {"data": None}
    async with platform.client(token) as client:
        assert (await client.get("/api/me")).status_code == 401


async def test_a_bearer_token_goes_before_the_cookie(platform: RunningPlatform) -> None:
    async with console(platform) as (browser, _):
        headers = {"authorization": "Bearer wrong"}
        assert (await browser.get("/api/me", headers=headers)).status_code == 401
        headers = {"authorization": f"Bearer {TOKEN}"}
        answer = await browser.post("/api/prompts", json={"key": new_key()}, headers=headers)
        assert answer.status_code == 200
