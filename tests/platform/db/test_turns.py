"""Edits go before what nobody waits for."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from harness.platform import until
from promptops_platform.db import turns
from promptops_platform.db.location import SqliteFile
from promptops_platform.db.turns import WriterTurns
from promptops_platform.db.unit_of_work import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(SqliteFile(tmp_path / "turns.db"))
    async with database.write() as transaction:
        await transaction.session.execute(text("CREATE TABLE written (name TEXT)"))
    yield database
    await database.close()


async def write(database: Database, name: str, *, background: bool) -> None:
    async with database.write(background=background) as transaction:
        await transaction.session.execute(
            text("INSERT INTO written VALUES (:name)"), {"name": name}
        )


async def names(database: Database) -> list[str]:
    async with database.read() as transaction:
        rows = await transaction.session.execute(text("SELECT name FROM written ORDER BY rowid"))
        return [row.name for row in rows]


async def test_edits_go_before_a_crowd_of_background_transactions(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 60)
    async with database.write() as transaction:
        await transaction.session.execute(text("INSERT INTO written VALUES ('first')"))
        crowd = [
            asyncio.create_task(write(database, f"run {number}", background=True))
            for number in range(20)
        ]
        await asyncio.sleep(0)
        edits = [
            asyncio.create_task(write(database, f"edit {number}", background=False))
            for number in range(3)
        ]
        await asyncio.sleep(0)
    await asyncio.gather(*crowd, *edits)
    order = await names(database)
    assert order[:4] == ["first", "edit 0", "edit 1", "edit 2"]
    assert sorted(order[4:]) == sorted(f"run {number}" for number in range(20))


async def test_the_background_comes_to_its_turn_while_edits_never_cease(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.01)
    over = asyncio.Event()

    async def edit_forever() -> None:
        while not over.is_set():
            await write(database, "edit", background=False)

    editing = [asyncio.create_task(edit_forever()) for _ in range(3)]
    for number in range(5):
        await write(database, f"run {number}", background=True)
    over.set()
    await asyncio.gather(*editing)
    order = await names(database)
    assert [name for name in order if name != "edit"] == [f"run {number}" for number in range(5)]


async def test_who_is_cancelled_or_fails_keeps_nobody_waiting(database: Database) -> None:
    waiting = WriterTurns()
    with pytest.raises(ValueError, match="an edit"), waiting.foreground():
        raise ValueError("an edit")
    entered = asyncio.Event()

    async def wait_in_the_background() -> None:
        async with waiting.background():
            entered.set()

    with waiting.foreground():
        cancelled = asyncio.create_task(wait_in_the_background())
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled])
    await wait_in_the_background()
    await until(entered.is_set)
