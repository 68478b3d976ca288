"""Writers side by side, and a database that can't answer."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_key,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from promptops_platform.db import engine as db_engine
from promptops_platform.db.unit_of_work import Database


async def test_fifty_parallel_writers_all_succeed(platform: RunningPlatform) -> None:
    prompt = await platform.create(content="0")

    async def write(number: int) -> int:
        if number % 2:
            url = f"/api/prompts/{prompt['id']}"
            answer = await platform.http.put(url, json={"content": str(number)})
        else:
            answer = await platform.http.post("/api/prompts", json={"key": new_key()})
        return answer.status_code

    statuses = await asyncio.gather(*(write(number) for number in range(50)))
    assert set(statuses) == {200}


async def test_writers_of_several_processes_all_succeed(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    """Two platforms on one database: for SQLite that is two sets of connections to the file."""
    settings = await new_settings(database_kind, postgres, data_folder / "one")
    db = {"db": data_folder / "one" / "promptops.db"} if database_kind == "sqlite" else {}
    other = settings.model_copy(update={"data": data_folder / "two", **db})
    async with running_platform(settings) as one, running_platform(other) as two:
        writes = [
            replica.http.post("/api/prompts", json={"key": new_key()})
            for _ in range(8)
            for replica in (one, two)
        ]
        answers = await asyncio.gather(*writes)
        assert {answer.status_code for answer in answers} == {200}
        listed = (await one.http.get("/api/prompts")).json()["data"]
        assert len(listed) == 16
        newest = max(replica.platform.changes.feed.applied for replica in (one, two))
        assert await two.platform.changes.feed.catch_up(newest, 5)
        for prompt in listed:
            answer = await two.fetch(prompt["key"], "dev")
            assert answer.status_code == 200


async def test_a_locked_database_is_a_503_that_says_so(
    data_folder: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db_engine, "BUSY_SECONDS", 0.2)
    settings = await new_settings("sqlite", postgres, data_folder)
    async with running_platform(settings) as platform:
        prompt = await platform.create(env="prod", content="before")
        path = data_folder / "promptops.db"
        lock = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # On a thread: the platform may be writing, and needs this loop to come to its end.
        await asyncio.to_thread(lock.execute, "BEGIN IMMEDIATE")
        refused = await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": "x"})
        assert refused.status_code == 503
        assert "locked" in refused.json()["error"]
        assert "retry-after" in refused.headers
        assert (await platform.fetch(prompt["key"])).json()["content"] == "before"
        listed = await platform.http.get("/api/prompts")
        assert listed.json()["data"][0]["content"] == "before"
        lock.execute("ROLLBACK")
        lock.close()
        again = await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": "x"})
        assert again.status_code == 200


async def test_a_full_disk_is_a_503_and_nothing_is_half_done(
    data_folder: Path, postgres: Postgres
) -> None:
    settings = await new_settings("sqlite", postgres, data_folder)
    async with running_platform(settings) as platform:
        await platform.create("kept", env="prod", content="kept")
        async with platform.platform.database.engines.writer.connect() as connection:
            pages = await connection.exec_driver_sql("PRAGMA page_count")
            await connection.exec_driver_sql(f"PRAGMA max_page_count={pages.scalar_one() + 20}")
        statuses = []
        for number in range(10):
            body = {"key": f"big-{number}", "env": "prod", "content": "x" * 100_000}
            statuses.append((await platform.http.post("/api/prompts", json=body)).status_code)
        assert statuses[-1] == 503
        refused = await platform.http.post("/api/prompts", json=body)
        assert "full" in refused.json()["error"]
        stored = (await platform.http.get("/api/prompts")).json()["data"]
        assert len(stored) == 1 + statuses.count(200)
        for number, status in enumerate(statuses):
            assert (await platform.fetch(f"big-{number}")).status_code == (
                200 if status == 200 else 404
            )


async def test_a_lost_postgresql_is_a_503_and_fetches_go_on(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    async with running_platform(settings) as platform:
        prompt = await platform.create(env="prod", content="kept")
        async with postgres.unreachable(settings):
            refused = await platform.http.post("/api/prompts", json={"key": "later"})
            assert refused.status_code == 503
            assert (await platform.fetch(prompt["key"])).json()["content"] == "kept"
        again = await platform.http.post("/api/prompts", json={"key": "later"})
        assert again.status_code == 200
        assert (await platform.fetch("later", "dev")).status_code == 200


async def test_a_commit_that_fails_leaves_no_transaction_open(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    """SQLite keeps a transaction whose COMMIT failed, with its lock and what it has written."""
    settings = await new_settings(database_kind, postgres, data_folder)
    database = Database(settings.database_location)
    async with database.write() as transaction:
        for statement in (
            "CREATE TABLE wanted (id INTEGER PRIMARY KEY)",
            "CREATE TABLE made (id INTEGER REFERENCES wanted DEFERRABLE INITIALLY DEFERRED)",
        ):
            await transaction.session.execute(text(statement))
    with pytest.raises(IntegrityError):
        async with database.write() as transaction:
            await transaction.session.execute(text("INSERT INTO made VALUES (1)"))
    async with database.write() as transaction:
        await transaction.session.execute(text("INSERT INTO wanted VALUES (1)"))
    async with database.read() as transaction:
        assert await transaction.session.scalar(text("SELECT count(*) FROM wanted")) == 1
        assert await transaction.session.scalar(text("SELECT count(*) FROM made")) == 0
    await database.close()
