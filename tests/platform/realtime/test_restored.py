"""A database that was set back: what clients know of later revisions is no more."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from harness.followers import following
from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_settings,
    running_platform,
    until,
)
from harness.postgres import Postgres
from harness.up import COMMAND
from promptops_platform.changes import repository
from promptops_platform.changes.tables import ChangeRow, FeedState
from promptops_platform.errors import DatabaseUnavailable


@pytest.fixture
async def own_platform(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> AsyncIterator[RunningPlatform]:
    """One whose feed may be set back."""
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        yield platform


async def test_a_feed_that_goes_back_is_another_one(own_platform: RunningPlatform) -> None:
    feed = own_platform.platform.changes.feed
    epoch, start = feed.epoch, feed.applied
    await own_platform.create(env="prod")
    async with following(own_platform) as follower:
        async with own_platform.platform.database.write() as transaction:
            await transaction.session.execute(update(FeedState).values(revision=start))
            await transaction.session.execute(delete(ChangeRow).where(ChangeRow.revision > start))
        again = await follower.next()
        assert (again["type"], again["revision"]) == ("resync", start)
        assert again["epoch"] == feed.epoch != epoch


async def test_a_client_that_knows_more_than_there_is_shows_it(
    own_platform: RunningPlatform,
) -> None:
    feed = own_platform.platform.changes.feed
    epoch = feed.epoch
    async with following(own_platform) as other:
        async with following(own_platform, feed.applied + 100) as ahead:
            message = await ahead.next()
            while message["epoch"] == epoch:
                message = await ahead.next()
            assert message["type"] == "resync"
        again = await other.next()
        assert (again["type"], again["epoch"]) == ("resync", feed.epoch)
        renewed = feed.epoch
        async with following(own_platform, feed.applied + 100) as made_up:
            assert (await made_up.next())["epoch"] == renewed, "not as often as somebody likes"


async def test_a_database_that_fails_then_does_not_hide_it(
    own_platform: RunningPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(*_asked: object) -> None:
        raise DatabaseUnavailable("gone")

    feed = own_platform.platform.changes.feed
    epoch = feed.epoch
    with monkeypatch.context() as patched:
        patched.setattr(repository, "renew_epoch", unavailable)
        with pytest.raises(DatabaseUnavailable):
            await feed.was_set_back()
    await feed.was_set_back()
    await until(lambda: feed.epoch != epoch)


async def test_the_command_has_everybody_fetch_anew(
    own_platform: RunningPlatform, data_folder: Path
) -> None:
    settings, feed = own_platform.platform.settings, own_platform.platform.changes.feed
    epoch = feed.epoch
    env = {"PATH": os.environ["PATH"], "PROMPTOPS_DATA": str(data_folder)}
    if settings.database_url is not None:
        env["PROMPTOPS_DATABASE_URL"] = settings.database_url.get_secret_value()
    async with following(own_platform) as follower:
        process = await asyncio.create_subprocess_exec(
            str(COMMAND), "resync", env=env, stderr=asyncio.subprocess.PIPE
        )
        _, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        again = await follower.next()
        assert (again["type"], again["revision"]) == ("resync", feed.applied)
        assert again["epoch"] == feed.epoch != epoch
