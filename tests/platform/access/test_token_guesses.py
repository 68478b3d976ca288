"""Bounds on guessing tokens, on every way in."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from harness.callers import new_account, new_api_key
from harness.platform import TOKEN, RunningPlatform, new_settings, running_platform
from harness.postgres import Postgres
from promptops_platform.access import token_guesses
from promptops_platform.access.token_guesses import GUESSES_PER_ADDRESS, TokenGuesses
from promptops_platform.access.try_counts import WINDOW
from promptops_platform.clock import FakeClock
from promptops_platform.settings import DEFAULT_TOKEN

APP, ATTACKER, ELSEWHERE = "198.51.100.7", "192.0.2.66", "203.0.113.9"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def platform(
    postgres: Postgres, data_folder: Path, clock: FakeClock
) -> AsyncIterator[RunningPlatform]:
    settings = await new_settings("sqlite", postgres, data_folder, trusted_proxies="127.0.0.1")
    async with running_platform(settings, clock) as running:
        yield running


async def get(
    platform: RunningPlatform, token: str, address: str, path: str = "/api/me"
) -> httpx.Response:
    async with platform.client(token) as client:
        return await client.get(path, headers={"x-forwarded-for": address})


async def guess(platform: RunningPlatform, address: str, kind: str = "") -> None:
    for number in range(GUESSES_PER_ADDRESS):
        answer = await get(platform, f"{kind}guess-{number}", address)
        assert answer.status_code == 401


async def watch_status(platform: RunningPlatform, token: str, address: str) -> int:
    url = f"ws://127.0.0.1:{platform.port}/ws?token={token}"
    try:
        async with connect(url, additional_headers={"x-forwarded-for": address}):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


@pytest.mark.parametrize("kind", ["", "pos_", "pok_"])
async def test_guesses_from_an_address_are_bounded_on_every_way_in(
    platform: RunningPlatform, clock: FakeClock, kind: str
) -> None:
    await guess(platform, ATTACKER, kind)
    for path in ("/api/me", "/api/prompts", "/api/sdk/prompts/x", "/api/sdk/snapshot", "/metrics"):
        late = await get(platform, f"{kind}late-{path}", ATTACKER, path)
        assert late.status_code == 429, path
        assert late.headers["retry-after"] == "900"
        assert "wrong tokens" in late.json()["error"]
    body = {"token": f"{kind}later"}
    headers = {"x-forwarded-for": ATTACKER}
    async with platform.client(None) as client:
        logged_in = await client.post("/api/login", json=body, headers=headers)
    assert logged_in.status_code == 429
    assert await watch_status(platform, f"{kind}latest", ATTACKER) == 429
    assert (await get(platform, f"{kind}late", ELSEWHERE)).status_code == 401
    clock.advance(WINDOW)
    assert (await get(platform, f"{kind}late", ATTACKER)).status_code == 401


async def test_whoever_has_a_token_is_let_in_beside_a_guesser(
    platform: RunningPlatform, clock: FakeClock
) -> None:
    account = await new_account(platform, "admin", clock=clock)
    key = (await new_api_key(platform))["key"]
    assert (await get(platform, TOKEN, ATTACKER)).status_code == 200
    await guess(platform, ATTACKER)
    path = "/api/sdk/snapshot"
    for token in (account.token, key, TOKEN):
        assert (await get(platform, token, ATTACKER, path)).status_code == 200
        assert await watch_status(platform, token, ATTACKER) == 101


async def test_the_static_token_cant_be_guessed_at_for_longer(
    platform: RunningPlatform, clock: FakeClock
) -> None:
    """From an address that never had it, it is refused as a wrong one is."""
    await guess(platform, ATTACKER)
    assert (await get(platform, TOKEN, ATTACKER)).status_code == 429
    assert await watch_status(platform, TOKEN, ATTACKER) == 429
    assert (await get(platform, TOKEN, APP)).status_code == 200
    clock.advance(WINDOW - timedelta(seconds=1))
    assert (await get(platform, TOKEN, ATTACKER)).status_code == 429
    clock.advance(timedelta(seconds=1))
    assert (await get(platform, TOKEN, ATTACKER)).status_code == 200


async def test_going_on_with_the_same_wrong_token_is_no_guessing(
    platform: RunningPlatform,
) -> None:
    for _ in range(GUESSES_PER_ADDRESS + 10):
        assert (await get(platform, "pok_revoked", APP)).status_code == 401
    async with platform.client(None) as client:
        for _ in range(GUESSES_PER_ADDRESS + 10):
            assert (await client.get("/api/me")).status_code == 401


async def test_the_token_that_everybody_knows_is_not_worth_a_guess(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(
        "sqlite",
        postgres,
        data_folder,
        trusted_proxies="127.0.0.1",
        token=SecretStr(DEFAULT_TOKEN),
    )
    async with running_platform(settings) as platform:
        await guess(platform, ATTACKER)
        assert (await get(platform, DEFAULT_TOKEN, ATTACKER)).status_code == 200


def test_what_is_remembered_of_guesses_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_guesses, "MOST_ADDRESSES", 20)
    monkeypatch.setattr(token_guesses, "MOST_TRUSTED", 20)
    guesses = TokenGuesses(FakeClock())
    for number in range(100):
        for token in range(GUESSES_PER_ADDRESS * 2):
            guesses.count(f"{token}", f"192.0.2.{number}")
        guesses.refused_seconds(f"198.51.100.{number}")
    assert len(guesses._guesses) <= 20
    assert len(guesses._trusted) <= 20
    assert max(len(guess.tokens) for guess in guesses._guesses.values()) == GUESSES_PER_ADDRESS


def test_a_ipv6_network_is_one_address() -> None:
    guesses = TokenGuesses(FakeClock())
    for number in range(GUESSES_PER_ADDRESS):
        assert guesses.count(f"{number}", f"2001:db8:1:2:{number:x}::1") == 0
    assert guesses.count("late", "2001:db8:1:2:ffff::1") == 900
    assert guesses.count("late", "2001:db8:1:3::1") == 0
