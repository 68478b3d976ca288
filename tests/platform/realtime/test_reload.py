"""What watchers are told when changes were missed and everything is loaded anew."""

from pathlib import Path
from typing import Any

from sqlalchemy import delete, update

from harness.platform import (
    DatabaseKind,
    RunningPlatform,
    new_key,
    new_settings,
    next_event,
    running_platform,
)
from harness.postgres import Postgres
from harness.rollouts import halves, published, spread
from promptops_platform.changes.tables import ChangeRow, FeedState
from promptops_platform.prompts.tables import PromptRow
from promptops_platform.rollouts.tables import RolloutRow


async def missed(platform: RunningPlatform, *statements: Any) -> None:
    """Change the database behind the feed's back, as if its news had been pruned already."""
    async with platform.platform.database.write() as transaction:
        for statement in statements:
            await transaction.session.execute(statement)
        await transaction.session.execute(update(FeedState).values(revision=FeedState.revision + 3))
        await transaction.session.execute(delete(ChangeRow))


async def test_a_deletion_that_was_missed_uncovers_another_workspaces_prompt(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        key = new_key()
        made = await platform.http.post("/api/workspaces", json={"name": "other"})
        below = await platform.create(key, env="prod", workspace=made.json()["data"]["id"])
        above = await platform.create(key, env="prod")
        gone = await platform.create(env="prod")
        async with platform.watch(namespace="prod") as watcher:
            await missed(
                platform, delete(PromptRow).where(PromptRow.id.in_([above["id"], gone["id"]]))
            )
            event = await next_event(watcher)
            assert (event["type"], event["id"]) == ("prompt.updated", below["id"])
            last = await platform.create(env="prod")
            assert (await next_event(watcher))["id"] == last["id"], "nothing of what is gone"


async def test_a_rollout_that_was_missed_is_told(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        prompt = await published(platform, "a", "b")
        await spread(platform, prompt, **halves())
        async with platform.watch(namespace="prod") as watcher:
            await missed(platform, update(RolloutRow).values(salt="another"))
            assert (await next_event(watcher))["id"] == prompt["id"]
            explained = await platform.fetch(prompt["key"], explain="true")
            assert explained.json()["explanation"]["salt"] == "another"


async def test_what_was_told_is_forgotten(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        prompt = await platform.create(env="prod", content="old")
    async with running_platform(settings) as platform:
        snapshot = platform.platform.serving.snapshot
        assert snapshot.take_missed() == [], "nobody watched before the first load"
        async with platform.watch(namespace="prod") as watcher:
            await missed(platform, update(PromptRow).values(content="new"))
            assert (await next_event(watcher))["id"] == prompt["id"]
            assert snapshot.take_missed() == []
            await missed(platform)
            last = await platform.create(env="prod")
            assert (await next_event(watcher))["id"] == last["id"]
