"""Watching with `since`: nothing is lost, repeated or out of order, and nobody sees too much."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import delete, update
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode

from harness.followers import closed, feed_events, follow_at_random, following
from harness.people import join, new_api_key, new_session, new_user, new_workspace, sent
from harness.platform import (
    TOKEN,
    WAIT_SECONDS,
    DatabaseKind,
    RunningPlatform,
    new_key,
    new_settings,
    next_event,
    running_platform,
)
from harness.postgres import Postgres
from promptops_platform.changes.tables import ChangeRow, FeedState
from promptops_platform.realtime import hub as hub_module
from promptops_platform.realtime.watchers import MOST_UNREAD


async def edit(platform: RunningPlatform, prompt: dict[str, Any], **fields: Any) -> None:
    sent(await platform.http.put(f"/api/prompts/{prompt['id']}", json=fields))


async def test_what_was_missed_comes_first_then_what_happens(platform: RunningPlatform) -> None:
    start = platform.platform.changes.feed.applied
    prompt = await platform.create(env="prod", content="one")
    await platform.publish(prompt["id"])
    await edit(platform, prompt, content="a draft")
    await platform.create(env="test")
    async with following(platform, start) as follower:
        assert list(follower.hello) == ["type", "epoch", "revision", "heartbeat_seconds"]
        assert follower.hello["revision"] == platform.platform.changes.feed.applied
        await platform.publish(prompt["id"])
        await platform.http.delete(f"/api/prompts/{prompt['id']}")
        expected = await feed_events(platform, start)
        assert [event["type"] for event in expected] == [
            "prompt.updated",
            "prompt.published",
            "prompt.published",
            "prompt.deleted",
        ]
        got = [await follower.next() for _ in expected]
    assert got == expected
    assert list(got[0]) == ["type", "id", "key", "env", "version", "revision"]


async def test_nothing_is_lost_repeated_or_out_of_order(platform: RunningPlatform) -> None:
    """Watchers that come and go at random while several programs change things at once."""
    start, epoch = platform.platform.changes.feed.applied, platform.platform.changes.feed.epoch
    prompts = [await platform.create(env="prod") for _ in range(4)]
    done = asyncio.Event()

    async def change(prompt: dict[str, Any], number: int) -> None:
        for turn in range(12):
            await edit(platform, prompt, content=f"{number} {turn}")
            await platform.publish(prompt["id"])
            if turn % 4 == number:
                await platform.create(env="test")

    watching = [
        asyncio.create_task(follow_at_random([platform], start, epoch, done, seed))
        for seed in range(5)
    ]
    await asyncio.gather(*(change(prompt, number) for number, prompt in enumerate(prompts)))
    done.set()
    expected = [event["revision"] for event in await feed_events(platform, start)]
    assert len(expected) >= 4 * (1 + 12)
    for seen in await asyncio.gather(*watching):
        assert seen == expected


@pytest.mark.parametrize(
    "query", [{"epoch": ""}, {"epoch": "another"}, {"since": "0", "epoch": ""}], ids=str
)
async def test_what_can_not_be_told_is_fetched_anew(
    platform: RunningPlatform, query: dict[str, str]
) -> None:
    async with following(platform, **query) as follower:
        feed = platform.platform.changes.feed
        again = {"type": "resync", "epoch": feed.epoch, "revision": feed.applied}
        assert await follower.next() == again
        prompt = await platform.create(env="prod")
        event = await follower.next()
        assert (event["id"], event["revision"]) == (prompt["id"], again["revision"] + 1)


async def test_a_revision_that_never_was_is_fetched_anew(platform: RunningPlatform) -> None:
    async with following(platform, 2**40) as follower:
        assert (await follower.next())["type"] == "resync"


async def test_a_client_that_is_ahead_of_this_replica_is_not_sent_back(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    async with running_platform(settings) as one, running_platform(settings) as two:
        assert two.platform.changes.notifications is not None
        await two.platform.changes.notifications.stop()
        prompt = await one.create(env="prod")
        since = one.platform.changes.feed.applied
        async with following(two, since) as follower:
            assert follower.hello["revision"] == since
            await one.publish(prompt["id"])
            event = await follower.next()
            assert (event["type"], event["revision"]) == ("prompt.published", since + 1)


async def test_a_feed_that_was_pruned_is_fetched_anew(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        feed = platform.platform.changes.feed
        since = feed.applied
        for _ in range(3):
            await platform.create(env="prod")
        async with platform.platform.database.write() as transaction:
            await transaction.session.execute(
                delete(ChangeRow).where(ChangeRow.revision <= since + 1)
            )
        async with following(platform, since) as follower:
            assert (await follower.next())["type"] == "resync"
        async with following(platform, since + 1) as follower:
            assert (await follower.next())["revision"] == since + 2
        async with following(platform) as follower:
            async with platform.platform.database.write() as transaction:
                await transaction.session.execute(update(FeedState).values(epoch="restored"))
            again = await follower.next()
            assert (again["type"], again["epoch"]) == ("resync", "restored")


@pytest.mark.parametrize("since", ["-1", "x", "", "1.5", "9" * 30])
async def test_a_since_that_is_no_revision_is_refused(
    platform: RunningPlatform, since: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with platform.watch(since=since):
            pass
    assert refused.value.response.status_code == 400
    assert "since" in json.loads(refused.value.response.body or b"")["error"]


async def test_a_heartbeat_says_that_everything_was_sent(
    database_kind: DatabaseKind,
    postgres: Postgres,
    data_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "HEARTBEAT_EVERY", 0.5)
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform, following(platform) as follower:
        await platform.create(env="test")
        revision = platform.platform.changes.feed.applied
        heartbeat = await next_event(follower.connection)
        assert heartbeat["type"] == "heartbeat"
        assert heartbeat["revision"] <= revision
        assert list(heartbeat) == ["type", "revision"]


def test_heartbeats_come_earlier_than_clients_expect_them() -> None:
    assert hub_module.HEARTBEAT_EVERY < hub_module.HEARTBEAT_SECONDS


async def test_a_watch_ends_with_its_key(platform: RunningPlatform) -> None:
    made = sent(await platform.http.post("/api/keys", json={"name": new_key(), "role": "sdk"}))
    async with following(platform, token=made["key"]) as follower:
        await platform.http.delete(f"/api/keys/{made['id']}")
        assert await closed(follower.connection) == 4401


async def test_a_server_that_stops_says_so(
    database_kind: DatabaseKind, postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings(database_kind, postgres, data_folder)
    async with running_platform(settings) as platform:
        query = {"token": TOKEN, "namespace": "prod", "since": "0"}
        watcher = await connect(
            f"ws://127.0.0.1:{platform.port}/ws?{urlencode(query)}", compression=None
        )
    assert await closed(watcher) == 1012


async def test_who_may_see_more_or_less_fetches_anew(platform: RunningPlatform) -> None:
    user = await new_user(platform, "viewer")
    workspace = await new_workspace(platform, "restricted")
    token = await new_session(platform, user)
    async with following(platform, token=token) as follower:
        await platform.create(env="prod", workspace=workspace)
        await join(platform, workspace, user, "viewer")
        assert (await follower.next())["type"] == "resync", "and nothing of before"
        seen = await platform.create(env="prod", workspace=workspace)
        assert (await follower.next())["id"] == seen["id"]
        url = f"/api/workspaces/{workspace}/members/{user['id']}"
        await platform.http.delete(url)
        assert (await follower.next())["type"] == "resync"
        await platform.create(env="prod", workspace=workspace)
        last = await platform.create(env="prod")
        assert (await follower.next())["id"] == last["id"]


async def test_who_could_see_more_or_less_meanwhile_fetches_anew(
    platform: RunningPlatform,
) -> None:
    user = await new_user(platform, "viewer")
    workspace = await new_workspace(platform, "restricted")
    token = await new_session(platform, user)
    start = platform.platform.changes.feed.applied
    await join(platform, workspace, user, "viewer")
    async with following(platform, start, token=token) as follower:
        assert (await follower.next())["type"] == "resync"
    start = platform.platform.changes.feed.applied
    await platform.create(env="prod")
    await platform.http.delete(f"/api/workspaces/{workspace}/members/{user['id']}")
    async with following(platform, start, token=token) as follower:
        assert (await follower.next())["type"] == "resync"


async def test_what_was_missed_is_told_with_the_rights_of_now(platform: RunningPlatform) -> None:
    workspace = await new_workspace(platform, "restricted")
    token = await new_api_key(platform, environments=["prod"])
    start = platform.platform.changes.feed.applied
    await platform.create(env="prod", workspace=workspace)
    await platform.create(env="test")
    seen = await platform.create(env="prod")
    async with following(platform, start, token=token, namespace="") as follower:
        assert (await follower.next())["id"] == seen["id"]


async def test_a_deletion_that_uncovers_another_prompt_is_told_as_its_update(
    platform: RunningPlatform,
) -> None:
    key = new_key()
    below = await platform.create(key, env="prod", workspace=await new_workspace(platform))
    async with following(platform) as follower:
        above = await platform.create(key, env="prod")
        await edit(platform, below, content="hidden")
        await platform.http.delete(f"/api/prompts/{above['id']}")
        await platform.http.delete(f"/api/prompts/{below['id']}")
        got = [await follower.next() for _ in range(3)]
    assert [(event["type"], event["id"]) for event in got] == [
        ("prompt.updated", above["id"]),
        ("prompt.updated", below["id"]),
        ("prompt.deleted", below["id"]),
    ]


async def test_a_client_that_does_not_read_is_cut_off_and_resumes(
    platform: RunningPlatform,
) -> None:
    prompt = await platform.create(env="prod")
    start, app = platform.platform.changes.feed.applied, new_key()
    async with following(platform, app=app) as stuck, following(platform) as other:
        stuck.connection.transport.pause_reading()
        hub = platform.platform.realtime.hub
        server_side = next(
            connection for connection in hub.connections() if connection.client.app == app
        )
        # More than the system keeps for a connection, so that it waits here.
        filling = Frame(Opcode.TEXT, json.dumps(" " * 60_000).encode()).serialize(mask=False)
        while server_side.connection.unread <= MOST_UNREAD:
            server_side.connection.write(filling)
        await edit(platform, prompt, content="1")
        assert (await other.next())["id"] == prompt["id"]
        stuck.connection.transport.resume_reading()
        assert await closed(stuck.connection) == 4408
    async with following(platform, start) as again:
        assert (await again.next())["id"] == prompt["id"]


async def test_reports_are_shown_with_the_lag(platform: RunningPlatform) -> None:
    app = new_key()
    async with following(platform, app=app, client="python", version="9.9") as follower:
        prompt = await platform.create(env="prod")
        await follower.report_keys(prompt["key"], "another")
        start = follower.hello["revision"]
        shown = await client(platform, app, keys=2)
        assert shown["version"] == "9.9"
        assert (shown["revision"], shown["lag_revisions"], shown["silent"]) == (start, 1, False)
        assert shown["lag_seconds"] > 0
        await follower.has_applied(start + 1)
        shown = await client(platform, app, lag_revisions=0)
        assert shown["lag_seconds"] == 0
        await platform.create(env="test")
        shown = await client(platform, app)
        assert (shown["lag_revisions"], shown["lag_seconds"]) == (0, 0)
        assert shown["reported_at"] > shown["connected_at"]
        for nonsense in ("[]", "{", '{"type":"applied","revision":"x"}', '{"type":"holding"}'):
            await follower.connection.send(nonsense)
        await follower.connection.send(b"\x00")
        await follower.connection.send(json.dumps({"type": "holding", "keys": ["x"] * 1001}))
        shown = await client(platform, app, keys=1001)
        assert shown["revision"] == start + 1


async def test_a_client_of_old_is_silent(platform: RunningPlatform) -> None:
    app = new_key()
    async with platform.watch(namespace="prod", app=app):
        shown = await client(platform, app)
        assert shown["silent"] is True
        assert (shown["revision"], shown["keys"], shown["lag_seconds"]) == (None, None, None)


async def client(platform: RunningPlatform, app: str, **expected: Any) -> dict[str, Any]:
    """A live client, once it is shown as expected."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            for row in sent(await platform.http.get("/api/clients")):
                if row["app"] == app and expected.items() <= row.items():
                    shown: dict[str, Any] = row
                    return shown
            await asyncio.sleep(0.01)
