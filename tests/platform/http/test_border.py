"""What stands at the border: origins of browsers, named hosts, and proxies that are believed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from harness.platform import (
    TOKEN,
    RunningPlatform,
    new_data_folder,
    new_key,
    new_settings,
    running_platform,
)

CONSOLE = "https://console.example.org"
PREFLIGHT = {
    "access-control-request-method": "PUT",
    "access-control-request-headers": "authorization,if-match",
}


@asynccontextmanager
async def bordered(data: Path, **settings: Any) -> AsyncIterator[RunningPlatform]:
    """A platform with these settings."""
    own = await new_settings("sqlite", None, data, token=TOKEN, **settings)
    async with running_platform(own) as platform:
        yield platform


async def audited_address(platform: RunningPlatform, forwarded: str) -> str:
    """The caller's address as the trail has it, of a request that brings this header."""
    name = new_key()
    headers = {"x-forwarded-for": forwarded}
    made = await platform.http.post("/api/workspaces", json={"name": name}, headers=headers)
    assert made.status_code == 200, made.text
    entries = (await platform.http.get("/api/audit", params={"key": name})).json()["data"]
    address: str = entries[0]["address"]
    return address


async def allowed(client: AsyncClient, origin: str) -> list[str | None]:
    """The origin that a preflight, an answer and an error of ours allow."""
    asked = {"origin": origin, **PREFLIGHT}
    answers = [
        await client.options("/api/prompts/x", headers=asked),
        await client.get("/api/me", headers={"origin": origin}),
        await client.get("/api/prompts/none", headers={"origin": origin}),
        await client.get("/api/me", headers={"origin": origin, "authorization": "Bearer wrong"}),
    ]
    for answer in answers:
        assert "access-control-allow-credentials" not in answer.headers
    return [answer.headers.get("access-control-allow-origin") for answer in answers]


async def test_only_configured_origins_may_call(data_folder: Path) -> None:
    origins = f"{CONSOLE}, http://localhost:5173"
    async with bordered(data_folder, cors_origins=origins) as platform:
        assert await allowed(platform.http, CONSOLE) == [CONSOLE] * 4
        assert (
            await allowed(platform.http, "http://localhost:5173") == ["http://localhost:5173"] * 4
        )
        for other in ("https://evil.example", f"{CONSOLE}.evil.example", "http://localhost"):
            assert await allowed(platform.http, other) == [None] * 4


async def test_any_origin_may_call_but_never_with_credentials(data_folder: Path) -> None:
    async with bordered(data_folder) as platform:
        assert await allowed(platform.http, "https://evil.example") == ["*"] * 4


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("promptops.example.org", 200),
        ("PromptOps.Example.org:8080", 200),
        ("a.internal", 200),
        ("b.a.internal:80", 200),
        ("[::1]:8080", 200),
        ("internal", 400),
        ("evil.example", 400),
        ("promptops.example.org.evil.example", 400),
        ("evilinternal", 400),
    ],
)
async def test_only_allowed_hosts_are_answered(
    strict: RunningPlatform, host: str, status: int
) -> None:
    answer = await strict.http.get("/api/me", headers={"host": host})
    assert answer.status_code == status
    if status == 400:
        assert "PROMPTOPS_ALLOWED_HOSTS" in answer.json()["error"]
    assert (await strict.http.get("/health", headers={"host": host})).status_code == 200
    fetch = await strict.http.get("/api/sdk/prompts/none", headers={"host": host})
    assert fetch.status_code == (404 if status == 200 else 400)


async def test_a_watch_of_another_host_is_refused_at_the_handshake(
    strict: RunningPlatform,
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{strict.port}/ws?token={TOKEN}")
    assert refused.value.response.status_code == 400


@pytest.fixture
async def strict() -> AsyncIterator[RunningPlatform]:
    """A platform that takes some hosts only."""
    hosts = "promptops.example.org, *.Internal, [::1]"
    async with bordered(new_data_folder(), allowed_hosts=hosts) as platform:
        yield platform


async def test_nobodys_forwarded_address_is_believed(data_folder: Path) -> None:
    async with bordered(data_folder) as platform:
        assert await audited_address(platform, "203.0.113.7") == "127.0.0.1"


async def test_another_peers_forwarded_address_is_not_believed(data_folder: Path) -> None:
    proxies = "192.0.2.1, 10.0.0.0/8, 2001:db8::/32"
    async with bordered(data_folder, trusted_proxies=proxies) as platform:
        assert await audited_address(platform, "203.0.113.7") == "127.0.0.1"


async def test_a_trusted_proxys_forwarded_address_is_believed(data_folder: Path) -> None:
    """And of a chain the last address that no proxy of ours has: those before it anybody may have
    written."""
    async with bordered(data_folder, trusted_proxies="127.0.0.0/8, 10.0.0.2") as platform:
        assert await audited_address(platform, "203.0.113.7") == "203.0.113.7"
        assert await audited_address(platform, "6.6.6.6, 203.0.113.7, 10.0.0.2") == "203.0.113.7"
        assert await audited_address(platform, "6.6.6.6, 10.0.0.9") == "10.0.0.9"


async def test_the_throttle_sees_the_callers_behind_a_proxy(data_folder: Path) -> None:
    async with bordered(data_folder, trusted_proxies="127.0.0.1") as platform:
        throttle = platform.platform.access.accounts._throttle
        for number in range(50):
            await throttle.count(f"account-{number}", "203.0.113.7")
        body = {"username": "admin", "password": "admin"}
        for address, status in (("203.0.113.7", 429), ("203.0.113.8", 200)):
            headers = {"x-forwarded-for": address}
            answer = await platform.http.post("/api/login", json=body, headers=headers)
            assert answer.status_code == status, answer.text
