"""Several platforms on one PostgreSQL."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from harness.followers import feed_events, follow_at_random, following
from harness.people import sent
from harness.platform import (
    TOKEN,
    WAIT_SECONDS,
    RunningPlatform,
    new_key,
    new_settings,
    next_event,
    running_platform,
    until,
)
from harness.postgres import Postgres
from harness.up import promptops
from promptops_platform.changes import replicas as replicas_module
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.realtime import repository

pytestmark = pytest.mark.trial


@pytest.fixture
async def replicas(postgres: Postgres, data_folder: Path) -> AsyncIterator[list[RunningPlatform]]:
    """Three, which know each other."""
    settings = await new_settings("postgresql", postgres, data_folder)
    async with AsyncExitStack() as stack:
        platforms = [await stack.enter_async_context(running_platform(settings)) for _ in range(3)]
        for replica in platforms:
            await until(lambda replica=replica: len(replica.platform.changes.replicas.others) == 2)
        yield platforms


async def test_the_fetch_that_follows_an_event_is_never_older_at_another_replica(
    replicas: list[RunningPlatform],
) -> None:
    one, two, three = replicas
    prompt = await one.create(env="prod", content="0")
    await everywhere(replicas)

    async def edit() -> None:
        for number in range(1, 31):
            url = f"/api/prompts/{prompt['id']}"
            sent(await one.http.put(url, json={"content": str(number)}))

    async with two.watch(namespace="prod") as old, following(three) as new:
        editing = asyncio.create_task(edit())
        for number in range(1, 31):
            assert (await next_event(old))["id"] == prompt["id"]
            for replica in replicas:
                assert int((await replica.fetch(prompt["key"])).json()["content"]) >= number
        for number in range(1, 31):
            event = await new.next()
            for replica in replicas:
                answer = await replica.fetch(
                    prompt["key"],
                    full="true",
                    min_revision=str(event["revision"]),
                    epoch=new.hello["epoch"],
                )
                assert int(answer.json()["content"]) >= number
                assert int(answer.headers["x-promptops-revision"]) >= event["revision"]
        await editing


async def test_nothing_is_lost_repeated_or_out_of_order_between_replicas(
    replicas: list[RunningPlatform],
) -> None:
    """All of them write, and the watchers go from one to another."""
    one = replicas[0]
    feed, done = one.platform.changes.feed, asyncio.Event()
    start = feed.applied

    async def change(replica: RunningPlatform) -> None:
        prompt = await replica.create(env="prod")
        for number in range(15):
            url = f"/api/prompts/{prompt['id']}"
            sent(await replica.http.put(url, json={"content": str(number)}))
            await replica.publish(prompt["id"])

    watching = [
        asyncio.create_task(follow_at_random(replicas, start, feed.epoch, done, seed))
        for seed in range(5)
    ]
    await asyncio.gather(*map(change, replicas))
    done.set()
    expected = [event["revision"] for event in await feed_events(one, start)]
    assert len(expected) >= 3 * 16
    for seen in await asyncio.gather(*watching):
        assert seen == expected


async def test_an_event_waits_for_a_replica_that_is_late_but_not_for_long(
    replicas: list[RunningPlatform],
) -> None:
    one, two, late = replicas
    async with two.watch(namespace="prod") as old:
        await stop_following(late)
        started = time.monotonic()
        await one.create(env="prod")
        await next_event(old)
        assert time.monotonic() - started > 0.9


async def test_a_replica_that_is_gone_is_not_waited_for(
    replicas: list[RunningPlatform],
) -> None:
    one, two, gone = replicas
    await stop_following(gone)
    # As if it was killed: nothing is said any more.
    task = gone.platform.changes.replicas._task
    assert task is not None
    task.cancel()
    registry = two.platform.changes.replicas
    await until(lambda: gone.platform.changes.replicas.id not in registry.others)
    assert one.platform.changes.replicas.id in registry.others
    async with two.watch(namespace="prod") as old:
        revision = two.platform.changes.feed.applied
        prompt = await one.create(env="prod")
        assert (await next_event(old))["id"] == prompt["id"]
        assert registry.everyone_has(revision + 1)


async def test_a_replica_that_is_killed_holds_nothing_up_and_its_clients_vanish(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    assert settings.database_url is not None
    shared = {"database_url": settings.database_url.get_secret_value(), "token": TOKEN}
    async with running_platform(settings) as one:
        with promptops("serve", shared) as other:
            await asyncio.to_thread(other.start)
            await until(lambda: len(one.platform.changes.replicas.others) == 1)
            address = f"ws://127.0.0.1:{other.port}/ws?token={TOKEN}&app=doomed"
            async with one.watch(namespace="prod") as old, connect(address):
                await shown(one, "doomed")
                other.kill()
                prompt = await one.create(env="prod")
                assert (await next_event(old))["id"] == prompt["id"]
                await until(lambda: one.platform.changes.replicas.others == [])
                apps = [client["app"] for client in sent(await one.http.get("/api/clients"))]
                assert apps == [""]


async def test_a_replica_that_stops_is_forgotten_at_once(
    postgres: Postgres, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not because nothing was heard of it for a while.
    monkeypatch.setattr(replicas_module, "GONE_SECONDS", 3600.0)
    settings = await new_settings("postgresql", postgres, data_folder)
    async with running_platform(settings) as one:
        async with running_platform(settings) as two, two.watch(app="at-two"):
            await until(lambda: len(one.platform.changes.replicas.others) == 1)
            await shown(one, "at-two")
        await until(lambda: one.platform.changes.replicas.others == [])
        assert sent(await one.http.get("/api/clients")) == []


async def test_clients_of_all_replicas_are_listed(replicas: list[RunningPlatform]) -> None:
    one, two, three = replicas
    async with (
        following(two, app="second", version="1.2") as follower,
        three.watch(namespace="prod", app="third"),
    ):
        prompt = await one.create(env="prod")
        event = await follower.next()
        await follower.report_keys(prompt["key"])
        await follower.has_applied(event["revision"])
        for replica in replicas:
            second = await shown(replica, "second", revision=event["revision"], keys=1)
            assert (second["version"], second["replica"]) == (
                "1.2",
                two.platform.changes.replicas.id,
            )
            third = await shown(replica, "third")
            assert (third["silent"], third["replica"]) == (True, three.platform.changes.replicas.id)
        clients = sent(await one.http.get("/api/clients"))
        assert [client["app"] for client in clients] == ["third", "second"], "the newest first"
    for replica in replicas:
        async with asyncio.timeout(WAIT_SECONDS):
            while sent(await replica.http.get("/api/clients")):
                await asyncio.sleep(0.05)


async def test_a_publish_waits_for_the_clients_of_all_replicas(
    replicas: list[RunningPlatform],
) -> None:
    one, two, three = replicas
    prompt = await one.create(env="prod")
    await everywhere(replicas)
    async with (
        following(two, app="quick") as quick,
        following(three, app="slow") as slow,
        three.watch(namespace="prod", app=new_key()),
    ):
        for watcher in (quick, slow):
            await watcher.report_keys(prompt["key"])
        await shown(one, "quick", keys=1)
        await shown(one, "slow", keys=1)
        publishing = asyncio.create_task(
            one.http.post("/api/prompts/publish?wait=4s", json={"id": prompt["id"]})
        )
        await quick.has_applied((await quick.next())["revision"])
        answer = (await publishing).json()
        assert (answer["acknowledged"], answer["connected"]) == (1, 3)
        assert [client["app"] for client in answer["behind"]] == ["slow"]
        assert len(answer["silent"]) == 1


async def test_names_that_no_database_takes_hide_nobody(replicas: list[RunningPlatform]) -> None:
    one, two, _ = replicas
    prompt = await one.create(env="prod")
    await everywhere(replicas)
    async with (
        following(two, app="odd\x00name") as odd,
        following(two, app="honest") as honest,
    ):
        await honest.report_keys(prompt["key"])
        await odd.report_keys(prompt["key"])
        await shown(one, "oddname", keys=1)
        await odd.report_keys("\x00", "\ud800")
        await shown(one, "honest", keys=1)
        answer = await one.http.post("/api/prompts/publish?wait=50ms", json={"id": prompt["id"]})
        assert answer.status_code == 200, answer.text
        assert answer.json()["connected"] == 2


async def test_a_wait_without_the_database_does_not_deny_the_publish(
    replicas: list[RunningPlatform], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(*_asked: object) -> None:
        raise DatabaseUnavailable("gone")

    one, two, _ = replicas
    prompt = await one.create(env="prod")
    async with following(one) as here, following(two) as there:
        for watcher in (here, there):
            await watcher.report_keys(prompt["key"])
        monkeypatch.setattr(repository, "holders", unavailable)
        answer = await one.http.post("/api/prompts/publish?wait=50ms", json={"id": prompt["id"]})
        assert answer.status_code == 200, answer.text
        assert (answer.json()["partial"], answer.json()["connected"]) == (True, 1)


async def everywhere(replicas: list[RunningPlatform]) -> None:
    """Wait until each has applied, and told, what the first one has."""
    revision = replicas[0].platform.changes.feed.applied
    for replica in replicas:
        assert await replica.platform.changes.feed.catch_up(revision, 5)
        await until(lambda replica=replica: not replica.platform.realtime.hub._order._held)


async def stop_following(replica: RunningPlatform) -> None:
    """It lives, and learns of nothing."""
    assert replica.platform.changes.notifications is not None
    await replica.platform.changes.notifications.stop()
    await replica.platform.changes.feed.stop()


async def shown(platform: RunningPlatform, app: str, **expected: Any) -> dict[str, Any]:
    """A live client, once it is shown as expected."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            for row in sent(await platform.http.get("/api/clients")):
                if row["app"] == app and expected.items() <= row.items():
                    row_shown: dict[str, Any] = row
                    return row_shown
            await asyncio.sleep(0.05)
