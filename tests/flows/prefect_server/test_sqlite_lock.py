"""The lock fix, at the smallest case: a reader wants to write after another one did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from prefect.server.database import configurations
from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy.exc import OperationalError

from promptops_flows.prefect_server import sqlite_lock

COUNT = sa.text("SELECT count(*) FROM written")
INSERT = sa.text("INSERT INTO written VALUES (1)")


@pytest.fixture
async def config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AioSqliteConfiguration]:
    # Set to what it is, so that the patch of a test is taken back at its end.
    original = AioSqliteConfiguration.begin_transaction
    monkeypatch.setattr(AioSqliteConfiguration, "begin_transaction", original)
    config = AioSqliteConfiguration(f"sqlite+aiosqlite:///{tmp_path / 'trial.db'}")
    engine = await config.engine()
    async with engine.begin() as connection:
        await connection.execute(sa.text("CREATE TABLE written (number INTEGER)"))
    yield config
    await engine.dispose()
    for key in [key for key, cached in configurations.ENGINES.items() if cached is engine]:
        del configurations.ENGINES[key]


async def write(config: AioSqliteConfiguration) -> None:
    session = await config.session(await config.engine())
    async with session, config.begin_transaction(session):
        await session.execute(INSERT)


async def read_then_write_while_another_writes(config: AioSqliteConfiguration) -> int:
    session = await config.session(await config.engine())
    async with session:
        async with config.begin_transaction(session):
            await session.execute(COUNT)
            other = asyncio.create_task(write(config))
            # It commits at once, or waits for this transaction's end: then go on without it.
            await asyncio.wait([other], timeout=0.5)
            await session.execute(INSERT)
        await other
        return int((await session.execute(COUNT)).scalar_one())


async def test_stock_prefect_loses_the_second_write(config: AioSqliteConfiguration) -> None:
    """When this one fails, Prefect has cured it itself, and the patch can go."""
    with pytest.raises(OperationalError, match="database is locked"):
        await read_then_write_while_another_writes(config)


async def test_with_the_fix_both_writes_are_there(config: AioSqliteConfiguration) -> None:
    sqlite_lock.begin_immediate()
    assert await read_then_write_while_another_writes(config) == 2


def test_the_fix_refuses_another_prefect() -> None:
    with pytest.raises(sqlite_lock.UnknownPrefectError, match=r"3\.9\.1"):
        sqlite_lock.begin_immediate(installed="3.9.1")


@pytest.mark.usefixtures("config")
def test_the_fix_refuses_a_changed_method(monkeypatch: pytest.MonkeyPatch) -> None:
    async def changed(self: object, session: object, mode: str) -> None: ...

    monkeypatch.setattr(AioSqliteConfiguration, "begin_transaction", changed)
    with pytest.raises(sqlite_lock.UnknownPrefectError, match="begin_transaction"):
        sqlite_lock.begin_immediate()


@pytest.mark.usefixtures("config")
def test_the_fix_refuses_a_missing_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(AioSqliteConfiguration, "begin_transaction")
    with pytest.raises(sqlite_lock.UnknownPrefectError, match="begin_transaction"):
        sqlite_lock.begin_immediate()
