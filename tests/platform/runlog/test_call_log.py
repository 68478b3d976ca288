"""Runs that are written a moment after they were answered: bounds, outages, repeats."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from harness.platform import RunningPlatform, new_settings, running_platform
from harness.postgres import Postgres
from harness.runs import detail, model_call, new_run, record
from promptops_platform.db.location import SqliteFile
from promptops_platform.db.unit_of_work import Database
from promptops_platform.runlog.call_journal import CallJournal
from promptops_platform.runlog.call_log import MOST_CHARACTERS, MOST_RUNS, CallLog


@pytest_asyncio.fixture
async def own(postgres: Postgres, data_folder: Path) -> AsyncIterator[RunningPlatform]:
    async with running_platform(await new_settings("sqlite", postgres, data_folder)) as platform:
        yield platform


class Away:
    """A way to the platform's database that does not exist until it is back."""

    def __init__(self, platform: RunningPlatform, tmp_path: Path) -> None:
        registry = platform.platform.settings.database_location
        assert isinstance(registry, SqliteFile)
        self._folder, self._link = registry.path.parent, tmp_path / "away"
        self.database = Database(SqliteFile(self._link / registry.path.name))

    def come_back(self) -> None:
        self._link.symlink_to(self._folder)


@pytest_asyncio.fixture
async def away(own: RunningPlatform, tmp_path: Path) -> AsyncIterator[Away]:
    platform_away = Away(own, tmp_path)
    yield platform_away
    await platform_away.database.close()


@pytest.fixture
def journal(tmp_path: Path) -> CallJournal:
    return CallJournal(tmp_path)


async def test_what_waits_for_the_database_is_written_in_its_order_once_it_is_back(
    own: RunningPlatform, away: Away, journal: CallJournal
) -> None:
    calls = CallLog(database=away.database, runs=own.platform.runlog.log, journal=journal)
    runs = [new_run(ref_key="waits") for _ in range(3)]
    await calls.add(runs[0], model_call())
    assert not await calls.written()
    for run in runs[1:]:
        await calls.add(run, model_call())
    away.come_back()
    assert await calls.written()
    for run in runs:
        assert (await detail(own, run.id))["output"] == "an answer"
    assert (await own.http.get("/api/runs/stats?key=waits")).json()["total"] == 3


async def test_an_outage_fills_no_memory(
    own: RunningPlatform, away: Away, journal: CallJournal
) -> None:
    """Of what is too much, the oldest is let go and said to be; the texts of the variables count
    as well, and what was put back after a failed write still counts."""
    calls = CallLog(database=away.database, runs=own.platform.runlog.log, journal=journal)
    large = "x" * (MOST_CHARACTERS // 3)
    runs = [new_run(inputs={"variables": {"a": large}}) for _ in range(4)]
    with capture_logs() as logs:
        for run in runs:
            await calls.add(run, model_call())
            await calls.written()
    lost = [entry["run"] for entry in logs if entry["event"] == "call_not_logged"]
    assert lost == [run.id for run in runs[:2]]
    away.come_back()
    assert await calls.written()
    for run in runs:
        is_logged = (await own.http.get(f"/api/runs/{run.id}")).status_code == 200
        assert is_logged == (run.id not in lost)


async def test_only_so_many_runs_wait(
    own: RunningPlatform, away: Away, journal: CallJournal
) -> None:
    calls = CallLog(database=away.database, runs=own.platform.runlog.log, journal=journal)
    with capture_logs() as logs:
        for _ in range(MOST_RUNS + 2):
            await calls.add(new_run(), model_call())
    assert [entry["event"] for entry in logs].count("call_not_logged") == 2


async def test_a_run_that_stands_already_is_neither_repeated_nor_reported(
    own: RunningPlatform, journal: CallJournal
) -> None:
    """As after a commit that seemed to have failed."""
    calls = CallLog(database=own.platform.database, runs=own.platform.runlog.log, journal=journal)
    stands, new = new_run(ref_key="stands"), new_run(ref_key="stands")
    await record(own, stands, model_call())
    for run in (stands, new):
        await calls.add(run, model_call())
    with capture_logs() as logs:
        assert await calls.written()
    assert not [entry for entry in logs if entry["event"] == "call_not_logged"]
    assert (await own.http.get("/api/runs/stats?key=stands")).json()["total"] == 2


async def test_one_that_can_not_be_written_takes_no_other_along(
    own: RunningPlatform, journal: CallJournal
) -> None:
    calls = CallLog(database=own.platform.database, runs=own.platform.runlog.log, journal=journal)
    wrong, right = new_run(workspace_id=None), new_run()
    for run in (wrong, right):
        await calls.add(run, model_call())
    with capture_logs() as logs:
        assert await calls.written()
    assert (await detail(own, right.id))["status"] == "ok"
    events = [entry["event"] for entry in logs if "run" in entry]
    assert events in (["call_not_logged"], ["run_not_recorded"])
