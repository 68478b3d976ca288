"""Whom a locked account keeps out: strangers, and for no longer than was said."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from harness.callers import PASSWORD, Account, as_caller, new_account
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from promptops_platform.access.throttle import TRIES_PER_ACCOUNT, LoginThrottle
from promptops_platform.access.try_counts import WINDOW
from promptops_platform.clock import FakeClock
from promptops_platform.db.schema import migrate
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import TooManyRequests

HOME, ELSEWHERE, ATTACKER = "198.51.100.7", "203.0.113.9", "192.0.2.66"
HOUR = timedelta(hours=1)


async def login_from(
    platform: RunningPlatform,
    account: Account,
    address: str,
    password: str = PASSWORD,
    token: str | None = None,
) -> httpx.Response:
    async with platform.client(token) as client:
        return await client.post(
            "/api/login",
            json={"username": account.name, "password": password},
            headers={"x-forwarded-for": address},
            timeout=30,
        )


async def lock(platform: RunningPlatform, account: Account) -> None:
    for _ in range(TRIES_PER_ACCOUNT):
        wrong = await login_from(platform, account, ATTACKER, "wrong")
        assert wrong.status_code == 401
    assert (await login_from(platform, account, ATTACKER)).status_code == 429


@pytest.fixture
async def platform(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> AsyncIterator[RunningPlatform]:
    settings = await new_settings(database_kind, postgres, data_folder, trusted_proxies="127.0.0.1")
    async with running_platform(settings) as running:
        yield running


async def test_the_owner_gets_in_from_where_they_logged_in_before(
    platform: RunningPlatform,
) -> None:
    account = await new_account(platform)
    assert (await login_from(platform, account, HOME)).status_code == 200
    await lock(platform, account)
    assert (await login_from(platform, account, ELSEWHERE)).status_code == 429
    for _ in range(2):
        assert (await login_from(platform, account, HOME)).status_code == 200
    assert (await login_from(platform, account, ATTACKER)).status_code == 429, "still locked"
    # There the tries are bounded as well.
    for _ in range(TRIES_PER_ACCOUNT):
        assert (await login_from(platform, account, HOME, "wrong")).status_code == 401
    assert (await login_from(platform, account, HOME)).status_code == 429


async def test_the_owner_gets_in_with_a_session(platform: RunningPlatform) -> None:
    account, other = await new_account(platform), await new_account(platform)
    await lock(platform, account)
    with_other = await login_from(platform, account, ELSEWHERE, token=other.token)
    assert with_other.status_code == 429, "a session of somebody else says nothing"
    with_own = await login_from(platform, account, ELSEWHERE, token=account.token)
    assert with_own.status_code == 200
    assert (await login_from(platform, account, ELSEWHERE)).status_code == 200, "known from now on"
    async with as_caller(platform, account.token) as client:
        body = {"current_password": PASSWORD, "new_password": "another password"}
        assert (await client.put("/api/me/password", json=body)).status_code == 200


async def test_a_new_password_forgets_where_the_old_one_was_used(
    platform: RunningPlatform,
) -> None:
    """Somebody else may have known it."""
    account = await new_account(platform)
    assert (await login_from(platform, account, HOME)).status_code == 200
    changed = await platform.http.put(f"/api/users/{account.id}", json={"password": "a new one"})
    assert changed.status_code == 200
    await lock(platform, account)
    assert (await login_from(platform, account, HOME, "a new one")).status_code == 429


async def test_an_unknown_account_is_not_told_apart(platform: RunningPlatform) -> None:
    """Neither by its lock nor by what is known of a place."""
    nobody = Account("", "nobody", "")
    await lock(platform, nobody)
    assert (await login_from(platform, nobody, HOME)).status_code == 429


@asynccontextmanager
async def throttle(
    kind: DatabaseKind, postgres: Postgres, folder: Path, clock: FakeClock
) -> AsyncIterator[tuple[LoginThrottle, Database]]:
    database = Database((await new_settings(kind, postgres, folder)).database_location)
    await migrate(database.engines)
    yield LoginThrottle(database, clock), database
    await database.close()


async def seconds_locked(tries: LoginThrottle) -> int:
    """0 where a try is allowed."""
    try:
        await tries.count("ada", ATTACKER)
    except TooManyRequests as refused:
        return int(refused.headers["retry-after"])
    return 0


@pytest.mark.parametrize("back", [timedelta(minutes=5), HOUR, timedelta(days=400)])
async def test_a_clock_that_is_set_back_lengthens_no_lock(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path, back: timedelta
) -> None:
    clock = FakeClock()
    async with throttle(database_kind, postgres, data_folder, clock) as (tries, database):
        for _ in range(TRIES_PER_ACCOUNT):
            assert await seconds_locked(tries) == 0
        clock.advance(timedelta(minutes=10))
        assert await seconds_locked(tries) == 300
        clock.set_by(-back)
        assert await seconds_locked(tries) == 300
        # Whoever starts now knows the database's row alone.
        assert 0 < await seconds_locked(LoginThrottle(database, clock)) <= WINDOW.total_seconds()
        clock.advance(timedelta(minutes=5))
        for _ in range(TRIES_PER_ACCOUNT):
            assert await seconds_locked(tries) == 0
        await tries.write()
        assert await seconds_locked(tries) == WINDOW.total_seconds()
        assert await seconds_locked(LoginThrottle(database, clock)) == WINDOW.total_seconds()


async def test_a_lock_ends_in_a_quarter_of_an_hour_also_after_a_restart_under_another_clock(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    clock = FakeClock()
    async with throttle(database_kind, postgres, data_folder, clock) as (tries, database):
        for _ in range(TRIES_PER_ACCOUNT):
            assert await seconds_locked(tries) == 0
        clock.set_by(-HOUR)
        restarted = LoginThrottle(database, clock)
        assert await seconds_locked(restarted) == WINDOW.total_seconds()
        clock.advance(WINDOW)
        await restarted.write()
        assert await seconds_locked(restarted) == 0
