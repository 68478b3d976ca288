"""Login, logout and who is who."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from harness.callers import login, me, new_api_key
from harness.platform import (
    TOKEN,
    DatabaseKind,
    RunningPlatform,
    new_settings,
    running_platform,
    until,
)
from harness.postgres import Postgres
from promptops_platform.access.tables import SessionRow, UserRow
from promptops_platform.clock import FakeClock

ADMIN = {"username": "admin", "password": "admin"}


async def test_the_seeded_account_logs_in_and_out(platform: RunningPlatform) -> None:
    answer = (await login(platform, **ADMIN)).json()
    assert answer == {
        "ok": True,
        "token": answer["token"],
        "role": "admin",
        "username": "admin",
    }
    assert (await me(platform, answer["token"])).json() == {
        "username": "admin",
        "role": "admin",
        "workspace_id": None,
        "environments": [],
    }
    async with platform.client(answer["token"]) as client:
        assert (await client.post("/api/logout")).json() == {"ok": True}
    dead = await me(platform, answer["token"])
    assert dead.status_code == 401


async def test_a_login_with_a_token_answers_that_token(platform: RunningPlatform) -> None:
    answer = await login(platform, token=TOKEN)
    assert answer.json() == {"ok": True, "token": TOKEN, "role": "admin", "username": "admin"}
    session = (await login(platform, **ADMIN)).json()["token"]
    assert (await login(platform, token=session)).json()["token"] == session
    assert (await login(platform, token="wrong")).status_code == 401


async def test_wrong_name_and_wrong_password_answer_alike(platform: RunningPlatform) -> None:
    wrong = [
        await login(platform, username="admin", password="x"),
        await login(platform, username="nobody", password="admin"),
    ]
    assert {answer.status_code for answer in wrong} == {401}
    assert wrong[0].json()["error"] == wrong[1].json()["error"]
    half = await login(platform, username="admin")
    assert half.status_code == 400


async def test_logging_out_with_the_static_token_keeps_it(platform: RunningPlatform) -> None:
    assert (await platform.http.post("/api/logout")).json() == {"ok": True}
    assert (await me(platform, TOKEN)).status_code == 200


@pytest.mark.usefixtures("costly_passwords")
async def test_tokens_and_passwords_are_stored_as_hashes(platform: RunningPlatform) -> None:
    token = (await login(platform, **ADMIN)).json()["token"]
    async with platform.platform.database.read() as transaction:
        sessions = list(await transaction.session.scalars(select(SessionRow.token_hash)))
        seeded = select(UserRow.password_hash).where(UserRow.username == "admin")
        hashed = await transaction.session.scalar(seeded)
    assert all(token not in stored for stored in sessions)
    assert hashed is not None
    assert hashed.startswith("pbkdf2_sha256$600000$")


async def test_a_session_expires(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    clock = FakeClock()
    settings = await new_settings(database_kind, postgres, data_folder, session_hours=2)
    async with running_platform(settings, clock) as platform:
        token = (await login(platform, **ADMIN)).json()["token"]
        clock.advance(timedelta(hours=1, minutes=59))
        assert (await me(platform, token)).status_code == 200
        clock.advance(timedelta(minutes=2))
        assert (await me(platform, token)).status_code == 401


@pytest.mark.usefixtures("no_slow_poll")
async def test_a_session_outlives_a_restart_and_is_known_to_other_replicas(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    async with running_platform(settings) as one, running_platform(settings) as two:
        token = (await login(one, **ADMIN)).json()["token"]
        await until(lambda: two.platform.access.authenticator.actor(token) is not None)
        async with two.client(token) as client:
            await client.post("/api/logout")
        await until(lambda: one.platform.access.authenticator.actor(token) is None)
        token = (await login(one, **ADMIN)).json()["token"]
    async with running_platform(settings) as again:
        assert (await me(again, token)).status_code == 200


async def test_many_logins_at_once_all_work(platform: RunningPlatform) -> None:
    answers = await asyncio.gather(*(login(platform, **ADMIN) for _ in range(5)))
    assert len({answer.json()["token"] for answer in answers}) == 5


async def test_a_session_is_known_at_once_to_the_replica_that_is_asked_next(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    async with running_platform(settings) as one, running_platform(settings) as two:
        for _ in range(5):
            token = (await login(one, **ADMIN)).json()["token"]
            both = await asyncio.gather(me(two, token), me(two, token))
            assert [answer.status_code for answer in both] == [200, 200]


async def test_wrong_tokens_dont_keep_a_new_key_from_being_known(
    postgres: Postgres, data_folder: Path
) -> None:
    """Whatever was asked for a moment before: what others hold that has ended, for instance."""
    settings = await new_settings("postgresql", postgres, data_folder)
    async with (
        running_platform(settings) as one,
        running_platform(settings) as two,
        two.client("pok_ended") as other,
    ):
        for _ in range(10):
            assert (await other.get("/api/me")).status_code == 401
            key = (await new_api_key(one, role="viewer"))["key"]
            assert (await me(two, key)).status_code == 200


async def test_without_a_token_not_even_the_body_is_read(platform: RunningPlatform) -> None:
    async with platform.client(None) as nobody:
        for content in (b"{", b"\xff", b" " * 5_000_000):
            assert (await nobody.post("/api/prompts", content=content)).status_code == 401


async def test_too_many_logins_at_once_are_told_to_wait(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        tries = [login(platform, username="nobody", password="x") for _ in range(40)]
        answers = await asyncio.gather(*tries)
    statuses = {answer.status_code for answer in answers}
    assert statuses == {401, 429}
    late = next(answer for answer in answers if answer.status_code == 429)
    assert int(late.headers["retry-after"]) > 0
