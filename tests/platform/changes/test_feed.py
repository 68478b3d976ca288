"""The change feed: gapless, in order, and the same for every process on the database."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from sqlalchemy import delete, select, text, update
from structlog.testing import capture_logs

from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_settings,
    next_event,
    running_platform,
    until,
)
from harness.postgres import Postgres
from promptops_platform.access.actor import SYSTEM
from promptops_platform.changes.tables import ChangeRow, FeedState
from promptops_platform.clock import FakeClock

WRITER = """
import asyncio, sys
from pathlib import Path
from promptops_platform.access.actor import COMMAND_LINE
from promptops_platform.lifecycle import Platform
from promptops_platform.clock import SystemClock
from promptops_platform.settings import Settings

async def main(prompt_id, content):
    platform = Platform(Settings(), SystemClock())
    async with platform.database.write() as transaction:
        await platform.prompts.service.update(
            transaction, prompt_id, actor=COMMAND_LINE, fields={"content": content}
        )
    await platform.database.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def revisions(platform: RunningPlatform) -> list[int]:
    async with platform.platform.database.read() as transaction:
        rows = await transaction.session.scalars(
            select(ChangeRow.revision).order_by(ChangeRow.revision)
        )
        return list(rows)


async def test_revisions_have_no_gap_whatever_runs_at_once(platform: RunningPlatform) -> None:
    prompt = await platform.create()
    taken = [platform.http.post("/api/prompts", json={"key": prompt["key"]}) for _ in range(10)]
    made = [platform.create() for _ in range(20)]
    edits = [
        platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": str(number)})
        for number in range(20)
    ]
    await asyncio.gather(*taken, *made, *edits)
    numbers = await revisions(platform)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert platform.platform.changes.feed.applied == numbers[-1]


async def test_a_change_of_another_process_reaches_the_watchers(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    env = {
        "PATH": "",
        "PROMPTOPS_DATA": str(data_folder / "other"),
        "PROMPTOPS_DB": str(data_folder / "promptops.db"),
    }
    if settings.database_url is not None:
        env["PROMPTOPS_DATABASE_URL"] = settings.database_url.get_secret_value()
    async with running_platform(settings) as platform:
        prompt = await platform.create(env="prod", content="old")
        async with platform.watch(namespace="prod") as watcher:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", WRITER, prompt["id"], "new", env=env
            )
            assert await process.wait() == 0
            assert (await next_event(watcher))["id"] == prompt["id"]
            assert (await platform.fetch(prompt["key"])).json()["content"] == "new"


async def test_notifications_make_other_replicas_quick(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    async with running_platform(settings) as one, running_platform(settings) as two:
        two.platform.changes.feed._poll = 3600
        await two.platform.changes.feed.catch_up(1, 5)
        async with two.watch(namespace="prod") as watcher:
            for _ in range(5):
                prompt = await one.create(env="prod")
                assert (await next_event(watcher))["id"] == prompt["id"]


async def test_polling_is_enough_when_notifications_are_lost(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    async with running_platform(settings) as one, running_platform(settings) as two:
        assert two.platform.changes.notifications is not None
        await two.platform.changes.notifications.stop()
        async with two.watch(namespace="prod") as watcher:
            prompt = await one.create(env="prod")
            assert (await next_event(watcher))["id"] == prompt["id"]


async def test_a_feed_that_was_pruned_too_far_is_loaded_anew(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        prompt = await platform.create(env="prod", content="old")
        await platform.create(env="prod", content="untouched")
        async with platform.watch(namespace="prod") as watcher:
            async with platform.platform.database.write() as transaction:
                row = await platform.platform.prompts.service.get(
                    transaction, prompt["id"], actor=SYSTEM
                )
                row.content = "new"
                await transaction.session.execute(
                    update(FeedState).values(revision=FeedState.revision + 3)
                )
                await transaction.session.execute(delete(ChangeRow))
            event = await next_event(watcher)
            assert (event["type"], event["id"]) == ("prompt.updated", prompt["id"])
            assert (await platform.fetch(prompt["key"])).json()["content"] == "new"
            last = await platform.create(env="prod")
            assert (await next_event(watcher))["id"] == last["id"], "and nothing else was told"


async def test_the_feed_is_pruned_after_seven_days(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    clock = FakeClock()
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings, clock) as platform:
        await platform.create()
        clock.advance(timedelta(days=6))
        kept = await platform.create(env="prod")
        newest = platform.platform.changes.feed.applied
        clock.advance(timedelta(days=1, minutes=1))
        await platform.platform.changes.feed.prune()
        assert await revisions(platform) == [newest]
        assert (await platform.fetch(kept["key"])).status_code == 200
        await platform.create()
        assert await revisions(platform) == [newest, newest + 1]


async def test_a_read_that_hangs_is_given_up_and_tried_again(
    postgres: Postgres, data_folder: Path
) -> None:
    """A connection that was cut without a word looks like this."""
    settings = await new_settings("postgresql", postgres, data_folder)
    async with running_platform(settings) as platform:
        platform.platform.changes.feed._read_seconds = 0.1
        prompt = await platform.create(env="prod", content="old")
        with capture_logs() as logs:
            async with platform.platform.database.write() as transaction:
                await transaction.session.execute(text("LOCK TABLE feed_state"))
                platform.platform.changes.feed.wake()
                await until(
                    lambda: any(entry["event"] == "feed_waits_for_the_database" for entry in logs)
                )
        async with platform.watch(namespace="prod") as watcher:
            await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": "new"})
            assert (await next_event(watcher))["id"] == prompt["id"]
