"""Bounds on guessing passwords."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from sqlalchemy import func, select

from harness.callers import PASSWORD, login, new_account
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_settings,
    running_platform,
)
from harness.postgres import Postgres
from promptops_platform.access import passwords, try_counts
from promptops_platform.access.tables import LoginTryRow
from promptops_platform.access.throttle import (
    TRIES_PER_ACCOUNT,
    TRIES_PER_ADDRESS,
    LoginThrottle,
)
from promptops_platform.access.try_counts import WINDOW
from promptops_platform.clock import FakeClock
from promptops_platform.db.schema import migrate
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable, TooManyRequests
from promptops_platform.listen_addresses import network

SECOND = timedelta(seconds=1)


class Counted:
    """A function, and how often it was called."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.calls = 0

    def __call__(self, **options: Any) -> Any:
        self.calls += 1
        return self.function(**options)


class Tries:
    """A throttle on a database of its own, and how many tries it lets through."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.database = database
        self.clock = clock
        self.throttle = LoginThrottle(database, clock)

    async def allowed(self, username: str, address: str) -> bool:
        try:
            self.tried = await self.throttle.count(username, address)
        except TooManyRequests:
            return False
        return True

    async def succeed(self) -> None:
        """The try that was allowed last was right."""
        async with self.database.write() as transaction:
            await self.throttle.succeeded(transaction, self.tried)

    async def rows(self) -> int:
        async with self.database.read() as transaction:
            count = select(func.count()).select_from(LoginTryRow)
            return await transaction.session.scalar(count) or 0


@pytest.fixture
async def tries(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> AsyncIterator[Tries]:
    settings = await new_settings(database_kind, postgres, data_folder)
    database = Database(settings.database_location)
    await migrate(database.engines)
    yield Tries(database, FakeClock())
    await database.close()


async def test_an_account_has_ten_tries_in_a_quarter_of_an_hour(tries: Tries) -> None:
    for number in range(TRIES_PER_ACCOUNT):
        assert await tries.allowed("ada", f"192.0.2.{number}")
    tries.clock.advance(timedelta(minutes=5))
    with pytest.raises(TooManyRequests) as refused:
        await tries.throttle.count("ada", "192.0.2.200")
    assert refused.value.headers == {"retry-after": "600"}
    assert await tries.allowed("bob", "192.0.2.200")
    tries.clock.advance(timedelta(minutes=10) - SECOND)
    assert not await tries.allowed("ada", "192.0.2.200")
    tries.clock.advance(SECOND)
    for _ in range(TRIES_PER_ACCOUNT):
        assert await tries.allowed("ada", "192.0.2.201")
    assert not await tries.allowed("ada", "192.0.2.201")


async def test_an_address_has_fifty_tries_whatever_the_accounts(tries: Tries) -> None:
    for number in range(TRIES_PER_ADDRESS):
        assert await tries.allowed(f"user-{number}", "192.0.2.1")
    assert not await tries.allowed("another", "192.0.2.1")
    assert await tries.allowed("another", "192.0.2.2")
    # What was refused has not been counted for the account either.
    assert await tries.allowed("another", "192.0.2.2")
    tries.clock.advance(WINDOW)
    assert await tries.allowed("another", "192.0.2.1")


async def test_an_ipv6_network_counts_as_one_address(tries: Tries) -> None:
    for number in range(TRIES_PER_ADDRESS):
        assert await tries.allowed(f"user-{number}", f"2001:db8:1:2:{number:x}::1")
    assert not await tries.allowed("another", "2001:db8:1:2:ffff:ffff:ffff:ffff")
    assert await tries.allowed("another", "2001:db8:1:3::1")


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("x" * 300, "x" * 64),
    ],
)
def test_what_counts_as_one_address(address: str, counted: str) -> None:
    assert network(address) == counted


async def test_tries_at_once_are_all_counted(tries: Tries) -> None:
    allowed = await asyncio.gather(*(tries.allowed("ada", "192.0.2.1") for _ in range(30)))
    assert sum(allowed) == TRIES_PER_ACCOUNT


async def test_a_success_takes_back_its_own_try_and_forgets_the_accounts(tries: Tries) -> None:
    for _ in range(TRIES_PER_ADDRESS * 2):
        assert await tries.allowed("ada", "192.0.2.1")
        await tries.succeed()
    for number in range(TRIES_PER_ADDRESS - 1):
        assert await tries.allowed(f"user-{number}", "192.0.2.1")
    # Logging in to an own account gives no tries at others.
    assert await tries.allowed("ada", "192.0.2.1")
    await tries.succeed()
    assert await tries.allowed("ada", "192.0.2.1")
    assert not await tries.allowed("bob", "192.0.2.1")


async def test_old_tries_are_deleted(tries: Tries) -> None:
    await tries.allowed("ada", "192.0.2.1")
    await tries.throttle.write()
    tries.clock.advance(WINDOW / 2)
    await tries.allowed("bob", "192.0.2.2")
    await tries.throttle.write()
    assert await tries.rows() == 4
    tries.clock.advance(WINDOW / 2)
    async with tries.database.write() as transaction:
        await tries.throttle.clean(transaction)
    assert await tries.rows() == 2


async def test_replicas_count_together(postgres: Postgres, data_folder: Path) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    one, two = Database(settings.database_location), Database(settings.database_location)
    await migrate(one.engines)
    replicas = [Tries(replica, FakeClock()) for replica in (one, two)]
    allowed = await asyncio.gather(
        *(replica.allowed("ada", "192.0.2.1") for replica in replicas for _ in range(20))
    )
    # Each replica lets less than half a limit through before it writes. Tries that both count at
    # the same moment may all be refused, once there are too many together.
    assert TRIES_PER_ACCOUNT - 2 <= sum(allowed) < TRIES_PER_ACCOUNT * 1.5
    assert not await replicas[0].allowed("ada", "192.0.2.9")
    assert not await replicas[1].allowed("ada", "192.0.2.9")
    await one.close()
    await two.close()


async def test_a_replica_that_saw_no_try_refuses_an_account_that_is_locked(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    one, two = Database(settings.database_location), Database(settings.database_location)
    await migrate(one.engines)
    here, there = Tries(one, FakeClock()), Tries(two, FakeClock())
    for _ in range(TRIES_PER_ACCOUNT):
        assert await here.allowed("ada", "192.0.2.1")
    assert not await there.allowed("ada", "192.0.2.2")
    await one.close()
    await two.close()


@pytest.mark.parametrize(
    ("names", "most"), [("ada", TRIES_PER_ACCOUNT), ("user-{}", TRIES_PER_ADDRESS)]
)
async def test_a_lock_outlives_a_restart_that_nobody_prepared(
    tries: Tries, names: str, most: int
) -> None:
    for number in range(most):
        assert await tries.allowed(names.format(number), "192.0.2.1")
    restarted = Tries(tries.database, tries.clock)
    with pytest.raises(TooManyRequests) as refused:
        await restarted.throttle.count(names.format(0), "192.0.2.1")
    assert refused.value.headers == {"retry-after": "900"}


async def test_tries_below_half_a_limit_outlive_a_stop(tries: Tries) -> None:
    for _ in range(3):
        await tries.allowed("ada", "192.0.2.1")
    await tries.throttle.write()
    restarted = Tries(tries.database, tries.clock)
    for _ in range(TRIES_PER_ACCOUNT - 3):
        assert await restarted.allowed("ada", "192.0.2.2")
    assert not await restarted.allowed("ada", "192.0.2.2")


async def test_a_flood_costs_few_writes_and_a_locked_account_none(
    tries: Tries, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = Counted(tries.database.write)
    reads = Counted(tries.database.read)
    monkeypatch.setattr(tries.database, "write", writes)
    monkeypatch.setattr(tries.database, "read", reads)
    await asyncio.gather(*(tries.allowed("ada", "192.0.2.1") for _ in range(1000)))
    assert writes.calls <= 3
    assert reads.calls == 2, "of the tries, and of the places of the owner"
    await asyncio.gather(*(tries.allowed("ada", "192.0.2.2") for _ in range(1000)))
    assert (writes.calls <= 3, reads.calls) == (True, 3)


async def test_many_accounts_that_are_tried_once_cost_no_write(
    tries: Tries, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = Counted(tries.database.write)
    monkeypatch.setattr(tries.database, "write", writes)
    for number in range(200):
        assert await tries.allowed(f"user-{number}", f"192.0.2.{number}")
    assert writes.calls == 0


async def test_what_is_counted_in_memory_is_bounded(
    tries: Tries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(try_counts, "MOST_SUBJECTS", 20)
    for _ in range(TRIES_PER_ACCOUNT):
        await tries.allowed("ada", "192.0.2.1")
    for number in range(100):
        await tries.allowed(f"user-{number}", f"198.51.100.{number}")
    assert len(tries.throttle._counts._counts) <= 20
    # What was dropped is read again.
    assert not await tries.allowed("ada", "192.0.2.7")


async def test_a_database_that_takes_nothing_lifts_no_limit(
    tries: Tries, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_options: Any) -> Any:
        raise DatabaseUnavailable("the database is unavailable")

    monkeypatch.setattr(tries.database, "write", refuse)
    for _ in range(TRIES_PER_ACCOUNT):
        assert await tries.allowed("ada", "192.0.2.1")
    assert not await tries.allowed("ada", "192.0.2.1")
    monkeypatch.undo()
    await tries.throttle.write()
    assert not await Tries(tries.database, tries.clock).allowed("ada", "192.0.2.1")


async def test_deleting_old_tries_waits_for_no_login(postgres: Postgres, data_folder: Path) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    database = Database(settings.database_location)
    await migrate(database.engines)
    tries = Tries(database, FakeClock())
    await tries.allowed("ada", "192.0.2.1")
    await tries.throttle.write()
    tries.clock.advance(WINDOW)
    async with database.write() as other:
        await other.session.scalars(select(LoginTryRow).limit(1).with_for_update())
        async with database.write() as transaction:
            await tries.throttle.clean(transaction)
    assert await tries.rows() == 1
    await database.close()


async def test_unknown_accounts_are_throttled_in_the_same_words(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings, FakeClock()) as platform:
        refusals = []
        for name in ("admin", "nobody"):
            answers = [
                await login(platform, username=name, password="wrong")
                for _ in range(TRIES_PER_ACCOUNT)
            ]
            answers.append(await login(platform, username=name, password="admin"))
            refusals.append([(answer.status_code, answer.json()) for answer in answers])
            assert answers[-1].headers["retry-after"] == "900"
        other = await new_account(platform, clock=FakeClock())
        assert (await login(platform, username=other.name, password=PASSWORD)).status_code == 200
    assert refusals[0] == refusals[1]
    assert [status for status, _ in refusals[0]] == [401] * TRIES_PER_ACCOUNT + [429]


async def hashing_seconds(platform: RunningPlatform, username: str) -> float:
    """CPU time of the thread that hashes, which other work on the machine hardly lengthens."""
    loop, thread = asyncio.get_running_loop(), passwords._hashing._thread
    before = await loop.run_in_executor(thread, time.thread_time)
    answer = await login(platform, username=username, password="wrong")
    assert answer.status_code == 401
    return await loop.run_in_executor(thread, time.thread_time) - before


@pytest.mark.usefixtures("costly_passwords")
async def test_unknown_account_and_wrong_password_cost_the_same_work(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        pairs = [
            [await hashing_seconds(platform, name) for name in ("nobody", "admin")]
            for _ in range(5)
        ]
    unknown, wrong = zip(*pairs, strict=True)
    assert min(unknown) > 0.01
    assert 0.67 < median(unknown) / median(wrong) < 1.5


async def test_who_was_told_to_wait_in_line_has_not_used_up_a_try(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        account = await new_account(platform)
        right = {"username": account.name, "password": PASSWORD}
        held = threading.Event()
        passwords._hashing._thread.submit(held.wait)
        crowd = [
            passwords.hash_password("x", line="127.0.0.1")
            for _ in range(passwords.LONGEST_LINE + 1)
        ]
        waiting = asyncio.gather(*crowd)
        await asyncio.sleep(0)
        try:
            for _ in range(TRIES_PER_ACCOUNT + 1):
                turned_away = await login(platform, **right)
                assert turned_away.status_code == 429
                assert turned_away.headers["retry-after"] == "5"
        finally:
            held.set()
            await waiting
        assert (await login(platform, **right)).status_code == 200
