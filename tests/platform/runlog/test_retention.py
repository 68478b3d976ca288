"""Old runs go, in batches, by whichever replica; what they summed up to stays."""

import asyncio
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select

from harness.platform import WAIT_SECONDS, DatabaseKind, new_settings, running_platform, until
from harness.postgres import Postgres
from harness.runs import logged, new_run, open_run
from promptops_platform.clock import FakeClock
from promptops_platform.runlog.retention import RunRetention
from promptops_platform.runlog.tables import RunPromptRow, RunStepRow
from promptops_providers.protocol import PromptVersion


async def test_old_runs_go_and_their_statistics_stay(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    clock = FakeClock()
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings, clock) as platform:
        under_way = new_run()
        await open_run(platform, under_way)
        for _ in range(7):
            await logged(platform, new_run(prompt=PromptVersion("reply", "prod", "v1")))
        clock.advance(timedelta(days=10))
        young = await logged(platform, new_run(prompt=PromptVersion("reply", "prod", "v2")))
        stats = (await platform.http.get("/api/runs/stats")).json()
        assert stats["total"] == 8
        replicas = [
            RunRetention(
                database=platform.platform.database,
                clock=clock,
                days=10,
                instance=f"replica {number}",
                batch=2,
            )
            for number in range(3)
        ]
        assert await replicas[0].prune() == 0, "ten days are not more than ten days"
        clock.advance(timedelta(seconds=1))
        removed = sum(await asyncio.gather(*(replica.prune() for replica in replicas)))
        removed += await replicas[0].prune()
        assert removed == 7
        page = (await platform.http.get("/api/runs")).json()
        assert ([run["id"] for run in page["data"]], page["total"]) == ([young], 1)
        assert (await platform.http.get(f"/api/runs/{under_way.id}")).status_code == 200
        assert (await platform.http.get("/api/runs/stats")).json() == stats
        async with platform.platform.database.read() as transaction:
            for table in (RunStepRow, RunPromptRow):
                query = select(func.count()).select_from(table)
                assert await transaction.session.scalar(query) == 1


async def test_the_platform_does_it_by_itself_where_it_is_told_to(
    postgres: Postgres, data_folder: Path
) -> None:
    clock = FakeClock()
    settings = await new_settings("sqlite", postgres, data_folder)
    async with running_platform(settings, clock) as platform:
        await logged(platform)
        assert platform.platform.runlog.retention._task is None, "runs are kept for ever"
    clock.advance(timedelta(days=31))
    longer = settings.model_copy(update={"run_days": 30})
    async with running_platform(longer, clock) as platform:
        task = platform.platform.runlog.retention._task
        assert task is not None

        async def total() -> int:
            return int((await platform.http.get("/api/runs")).json()["total"])

        async with asyncio.timeout(WAIT_SECONDS):
            while await total():
                await asyncio.sleep(0.02)
    await until(task.done)
