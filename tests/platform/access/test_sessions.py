"""Sessions live on while they are used."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from harness.callers import PASSWORD, login, me, new_account, new_api_key
from harness.platform import (
    WAIT_SECONDS,
    DatabaseKind,
    RunningPlatform,
    new_settings,
    running_platform,
    until,
)
from harness.postgres import Postgres
from promptops_platform.access import uses
from promptops_platform.access.service import MOST_SESSIONS
from promptops_platform.access.tables import ApiKeyRow, SessionRow, UserRow
from promptops_platform.access.tokens import token_hash
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.clock import FakeClock, SystemClock
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.ids import new_id

ADMIN = {"username": "admin", "password": "admin"}
HOUR = timedelta(hours=1)
LIFETIME = 2 * HOUR
# PostgreSQL's protocol counts the values of a statement in 15 bits.
MORE_THAN_PARAMETERS = 33_000


async def expiry(platform: RunningPlatform, token: str) -> datetime:
    async with platform.platform.database.read() as transaction:
        expires_at = await transaction.session.scalar(
            select(SessionRow.expires_at).where(SessionRow.token_hash == token_hash(token))
        )
    assert isinstance(expires_at, datetime)
    return expires_at


async def last_use(platform: RunningPlatform, key_id: str) -> datetime | None:
    async with platform.platform.database.read() as transaction:
        last_used_at: datetime | None = await transaction.session.scalar(
            select(ApiKeyRow.last_used_at).where(ApiKeyRow.id == key_id)
        )
    return last_used_at


async def test_a_used_session_lives_on_and_an_unused_one_ends(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    clock = FakeClock()
    settings = await new_settings(database_kind, postgres, data_folder, session_hours=2)
    async with running_platform(settings, clock) as platform:
        used, unused = [(await login(platform, **ADMIN)).json()["token"] for _ in range(2)]
        for _ in range(3):
            clock.advance(1.5 * HOUR)
            assert (await me(platform, used)).status_code == 200
            await platform.platform.access.uses.write()
        assert (await me(platform, unused)).status_code == 401
        clock.advance(LIFETIME)
        assert (await me(platform, used)).status_code == 401
        await platform.platform.access.accounts.clean()
        async with platform.platform.database.read() as transaction:
            count = select(func.count()).select_from(SessionRow)
            assert await transaction.session.scalar(count) == 0


async def test_uses_are_written_at_most_once_a_minute(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    assert uses.EVERY_SECONDS == 60
    clock = FakeClock()
    settings = await new_settings(database_kind, postgres, data_folder, session_hours=2)
    async with running_platform(settings, clock) as platform:
        token = (await login(platform, **ADMIN)).json()["token"]
        key = await new_api_key(platform, role="viewer")
        feed = platform.platform.changes.feed
        at_first, revision = await expiry(platform, token), feed.applied
        clock.advance(HOUR)
        for _ in range(20):
            assert (await me(platform, token)).status_code == 200
            assert (await me(platform, key["key"])).status_code == 200
        assert await expiry(platform, token) == at_first
        assert await last_use(platform, key["id"]) is None
        await platform.platform.access.uses.write()
        assert await expiry(platform, token) == clock.now() + LIFETIME
        assert await last_use(platform, key["id"]) == clock.now()
        assert feed.applied == revision + 1
        # Neither a second time, nor for each small step.
        clock.advance(timedelta(minutes=5))
        assert (await me(platform, token)).status_code == 200
        await platform.platform.access.uses.write()
        assert feed.applied == revision + 1


async def test_what_was_used_is_known_after_a_restart(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    clock = FakeClock()
    settings = await new_settings(database_kind, postgres, data_folder, session_hours=2)
    async with running_platform(settings, clock) as platform:
        token = (await login(platform, **ADMIN)).json()["token"]
        key = await new_api_key(platform)
        clock.advance(1.5 * HOUR)
        used_at = clock.now()
        await me(platform, token)
        async with platform.client(key["key"]) as client:
            await client.get("/api/sdk/prompts/any")
    clock.advance(HOUR)
    async with running_platform(settings, clock) as platform:
        assert (await me(platform, token)).status_code == 200
        assert await last_use(platform, key["id"]) == used_at


@pytest.mark.usefixtures("no_slow_poll")
async def test_a_session_that_is_used_on_one_replica_lives_on_on_the_other(
    postgres: Postgres, data_folder: Path
) -> None:
    clock = FakeClock()
    settings = await new_settings("postgresql", postgres, data_folder, session_hours=2)
    async with running_platform(settings, clock) as one, running_platform(settings, clock) as two:
        token = (await login(one, **ADMIN)).json()["token"]
        hashed = token_hash(token)
        clock.advance(1.5 * HOUR)
        await me(one, token)
        await one.platform.access.uses.write()

        def is_extended() -> bool:
            credential = two.platform.access.credentials.find(hashed)
            return credential is not None and credential.expires_at == clock.now() + LIFETIME

        await until(is_extended)


async def test_uses_that_could_not_be_written_are_written_later(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    async with running_platform(settings) as platform:
        key = await new_api_key(platform, role="viewer")
        assert (await me(platform, key["key"])).status_code == 200
        async with postgres.unreachable(settings):
            with pytest.raises(DatabaseUnavailable):
                await platform.platform.access.uses.write()
        await platform.platform.access.uses.write()
        assert await last_use(platform, key["id"]) is not None


async def test_writing_uses_waits_for_nobody(postgres: Postgres, data_folder: Path) -> None:
    """Whoever waits for one row while holding others may be what the other one waits for."""
    clock = FakeClock()
    settings = await new_settings("postgresql", postgres, data_folder, session_hours=2)
    async with running_platform(settings, clock) as platform:
        held, free = [(await login(platform, **ADMIN)).json()["token"] for _ in range(2)]
        key = await new_api_key(platform, role="viewer")
        clock.advance(HOUR)
        for token in (held, free, key["key"]):
            assert (await me(platform, token)).status_code == 200
        before = await expiry(platform, held)
        async with platform.platform.database.write() as other:
            session = select(SessionRow).where(SessionRow.token_hash == token_hash(held))
            await other.session.scalars(session.with_for_update())
            await other.session.get(ApiKeyRow, key["id"], with_for_update=True)
            await platform.platform.access.uses.write()
            await platform.platform.access.accounts.clean()
        assert await expiry(platform, held) == before
        assert await expiry(platform, free) == clock.now() + LIFETIME


@pytest.mark.usefixtures("costly_passwords")
async def test_a_login_makes_a_short_hash_longer(platform: RunningPlatform) -> None:
    account = await new_account(platform)
    account_login = {"username": account.name, "password": PASSWORD}
    assert (await login(platform, **account_login)).status_code == 200
    async with platform.platform.database.read() as transaction:
        row = await transaction.session.get(UserRow, account.id)
    assert row is not None
    assert row.password_hash.startswith("pbkdf2_sha256$600000$")
    assert (await login(platform, **account_login)).status_code == 200


async def test_logins_at_once_while_the_hash_grows_all_work(platform: RunningPlatform) -> None:
    account = await new_account(platform)
    answers = await asyncio.gather(
        *(login(platform, username=account.name, password=PASSWORD) for _ in range(4))
    )
    assert [answer.status_code for answer in answers] == [200] * 4


async def test_a_user_with_very_many_sessions_is_logged_out_of_all(
    platform: RunningPlatform,
) -> None:
    """A script may log in every second; no statement of either database takes so many values."""
    account = await new_account(platform)
    now = SystemClock().now()
    rows = [
        {
            "id": new_id(),
            "token_hash": token_hash(f"{account.token}{number}"),
            "user_id": account.id,
            "created_at": now,
            "expires_at": now + LIFETIME,
        }
        for number in range(MORE_THAN_PARAMETERS)
    ]
    parts = platform.platform
    async with parts.database.write() as transaction:
        for start in range(0, len(rows), 2000):
            await transaction.session.execute(insert(SessionRow), rows[start : start + 2000])
        parts.changes.log.record(transaction, Change(ChangeType.USER_CHANGED, account.id))
    await parts.changes.feed.poll_now(WAIT_SECONDS)
    last = f"{account.token}{MORE_THAN_PARAMETERS - 1}"
    assert (await me(platform, last)).status_code == 200
    answer = await platform.http.put(f"/api/users/{account.id}", json={"password": "another one"})
    assert answer.status_code == 200, answer.text
    await parts.changes.feed.poll_now(WAIT_SECONDS)
    assert (await me(platform, last)).status_code == 401
    # The feed has not stopped there.
    assert (await me(platform, (await new_account(platform)).token)).status_code == 200


async def test_of_too_many_sessions_the_oldest_end(platform: RunningPlatform) -> None:
    account = await new_account(platform)
    now = SystemClock().now()
    oldest = f"{account.token}oldest"
    rows = [
        {
            "id": new_id(),
            "token_hash": token_hash(oldest if number == 0 else f"{account.token}{number}"),
            "user_id": account.id,
            "created_at": now - timedelta(minutes=MOST_SESSIONS - number),
            "expires_at": now + HOUR,
        }
        for number in range(MOST_SESSIONS - 1)
    ]
    parts = platform.platform
    async with parts.database.write() as transaction:
        await transaction.session.execute(insert(SessionRow), rows)
        parts.changes.log.record(transaction, Change(ChangeType.USER_CHANGED, account.id))
    assert (await me(platform, oldest)).status_code == 200
    answer = await login(platform, username=account.name, password=PASSWORD)
    assert answer.status_code == 200, answer.text
    assert (await me(platform, oldest)).status_code == 401
    for token in (f"{account.token}1", account.token, answer.json()["token"]):
        assert (await me(platform, token)).status_code == 200
