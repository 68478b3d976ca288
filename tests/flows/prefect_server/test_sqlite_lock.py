"""The lock fix in the smallest case: a reader wants to write after another one did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
    # Set to its current value, so that a test's patch is undone at its end.
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
            # It commits at once, or waits for the end of this transaction: then continue without
            # it.
            await asyncio.wait([other], timeout=0.5)
            await session.execute(INSERT)
        await other
        return int((await session.execute(COUNT)).scalar_one())


async def test_stock_prefect_loses_the_second_write(config: AioSqliteConfiguration) -> None:
    """If this fails, Prefect has fixed the problem, and the patch can be removed."""
    with pytest.raises(OperationalError, match="database is locked"):
        await read_then_write_while_another_writes(config)


async def test_with_the_fix_both_writes_succeed(config: AioSqliteConfiguration) -> None:
    sqlite_lock.begin_immediate()
    assert await read_then_write_while_another_writes(config) == 2


@asynccontextmanager
async def another_holds_the_lock(config: AioSqliteConfiguration) -> AsyncIterator[None]:
    """From a separate task: what is started inside the block isn't part of its transaction."""
    held, enough = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        session = await config.session(await config.engine())
        async with session, config.begin_transaction(session):
            await session.execute(INSERT)
            held.set()
            await enough.wait()

    holding = asyncio.create_task(hold())
    await held.wait()
    yield
    enough.set()
    await holding


async def test_transactions_get_the_lock_in_order(
    config: AioSqliteConfiguration,
) -> None:
    """SQLite alone lets newcomers overtake connections that have waited for long."""
    sqlite_lock.begin_immediate()
    order: list[int] = []

    async def transaction(number: int) -> None:
        session = await config.session(await config.engine())
        async with session, config.begin_transaction(session):
            await session.execute(INSERT)
            order.append(number)

    async with another_holds_the_lock(config):
        waiting = []
        for number in range(12):
            waiting.append(asyncio.create_task(transaction(number)))
            # Far enough apart that their attempts at SQLite's lock would come at different times.
            await asyncio.wait(waiting, timeout=0.03)
    await asyncio.gather(*waiting)
    assert order == list(range(12))


async def test_a_cancelled_transaction_leaves_the_queue(config: AioSqliteConfiguration) -> None:
    sqlite_lock.begin_immediate()
    async with another_holds_the_lock(config):
        waiting = asyncio.create_task(write(config))
        await asyncio.wait([waiting], timeout=0.03)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
    await write(config)


async def test_a_nested_transaction_fails_and_does_not_wait_for_ever(
    config: AioSqliteConfiguration,
) -> None:
    sqlite_lock.begin_immediate()
    engine = await config.engine()
    outer, inner = await config.session(engine), await config.session(engine)
    async with outer, inner, config.begin_transaction(outer):
        await outer.execute(INSERT)
        # Instead of Prefect's minute; that connection is returned and taken again.
        await inner.execute(sa.text("PRAGMA busy_timeout = 50"))
        await inner.commit()
        with pytest.raises(OperationalError, match="database is locked"):
            async with config.begin_transaction(inner):
                await inner.execute(INSERT)
    await write(config)


async def test_a_session_inside_a_transaction_reads_without_the_lock(
    config: AioSqliteConfiguration,
) -> None:
    sqlite_lock.begin_immediate()
    engine = await config.engine()
    outer, inner = await config.session(engine), await config.session(engine)
    async with outer, inner, config.begin_transaction(outer):
        await inner.execute(sa.text("PRAGMA busy_timeout = 50"))
        await inner.commit()
        await outer.execute(INSERT)
        assert (await inner.execute(COUNT)).scalar_one() == 0


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
