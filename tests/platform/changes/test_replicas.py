"""Several platforms on one PostgreSQL."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from harness.followers import follow_at_random, following, told
from harness.people import sent
from harness.platform import (
    TOKEN,
    RunningPlatform,
    new_key,
    new_settings,
    next_event,
    running_platform,
    until,
)
from harness.postgres import Postgres
from harness.up import promptops
from promptops_platform.changes.replicas import GONE_SECONDS
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.realtime import repository


@pytest.fixture
async def replicas(postgres: Postgres, data_folder: Path) -> AsyncIterator[list[RunningPlatform]]:
    """Three, which know each other."""
    settings = await new_settings("postgresql", postgres, data_folder)
    async with AsyncExitStack() as stack:
        found = [await stack.enter_async_context(running_platform(settings)) for _ in range(3)]
        for each in found:
            await until(lambda each=each: len(each.platform.replicas.others) == 2)
        yield found


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
            for each in replicas:
                assert int((await each.fetch(prompt["key"])).json()["content"]) >= number
        for number in range(1, 31):
            event = await new.next()
            for each in replicas:
                answer = await each.fetch(
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
    feed, done = one.platform.feed, asyncio.Event()
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
    expected = [each["revision"] for each in await told(one, start)]
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
        assert 0.9 < time.monotonic() - started < 4


async def test_a_replica_that_is_gone_is_not_waited_for(
    replicas: list[RunningPlatform],
) -> None:
    one, two, gone = replicas
    await stop_following(gone)
    # As if it was killed: nothing is said any more.
    task = gone.platform.replicas._task
    assert task is not None
    task.cancel()
    known = two.platform.replicas
    await until(lambda: gone.platform.replicas.id not in known.others, GONE_SECONDS + 5)
    assert one.platform.replicas.id in known.others
    async with two.watch(namespace="prod") as old:
        revision = two.platform.feed.applied
        prompt = await one.create(env="prod")
        assert (await next_event(old))["id"] == prompt["id"]
        assert known.everyone_has(revision + 1)


async def test_a_replica_that_is_killed_holds_nothing_up_and_its_clients_vanish(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    assert settings.database_url is not None
    shared = {"database_url": settings.database_url.get_secret_value(), "token": TOKEN}
    async with running_platform(settings) as one:
        with promptops("serve", shared) as other:
            await asyncio.to_thread(other.start)
            await until(lambda: len(one.platform.replicas.others) == 1)
            address = f"ws://127.0.0.1:{other.port}/ws?token={TOKEN}&app=doomed"
            async with one.watch(namespace="prod") as old, connect(address):
                await shown(one, "doomed")
                other.kill()
                prompt = await one.create(env="prod")
                assert (await next_event(old))["id"] == prompt["id"]
                await until(lambda: one.platform.replicas.others == [], GONE_SECONDS + 5)
                apps = [each["app"] for each in sent(await one.http.get("/api/clients"))]
                assert apps == [""]


async def test_a_replica_that_stops_is_forgotten_at_once(
    postgres: Postgres, data_folder: Path
) -> None:
    settings = await new_settings("postgresql", postgres, data_folder)
    async with running_platform(settings) as one:
        async with running_platform(settings) as two, two.watch(app="at-two"):
            await until(lambda: len(one.platform.replicas.others) == 1)
            await shown(one, "at-two")
        started = time.monotonic()
        await until(lambda: one.platform.replicas.others == [])
        assert time.monotonic() - started < GONE_SECONDS
        assert sent(await one.http.get("/api/clients")) == []


async def test_clients_of_all_replicas_are_listed(replicas: list[RunningPlatform]) -> None:
    one, two, three = replicas
    async with (
        following(two, app="second", version="1.2") as follower,
        three.watch(namespace="prod", app="third"),
    ):
        prompt = await one.create(env="prod")
        event = await follower.next()
        await follower.holds(prompt["key"])
        await follower.has_applied(event["revision"])
        for each in replicas:
            second = await shown(each, "second", revision=event["revision"], keys=1)
            assert (second["version"], second["replica"]) == ("1.2", two.platform.replicas.id)
            third = await shown(each, "third")
            assert (third["silent"], third["replica"]) == (True, three.platform.replicas.id)
        clients = sent(await one.http.get("/api/clients"))
        assert [each["app"] for each in clients] == ["third", "second"], "the newest first"
    for each in replicas:
        async with asyncio.timeout(5):
            while sent(await each.http.get("/api/clients")):
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
        for each in (quick, slow):
            await each.holds(prompt["key"])
        await shown(one, "quick", keys=1)
        await shown(one, "slow", keys=1)
        publishing = asyncio.create_task(
            one.http.post("/api/prompts/publish?wait=4s", json={"id": prompt["id"]})
        )
        await quick.has_applied((await quick.next())["revision"])
        answer = (await publishing).json()
        assert (answer["acknowledged"], answer["connected"]) == (1, 3)
        assert [each["app"] for each in answer["behind"]] == ["slow"]
        assert len(answer["silent"]) == 1


async def test_names_that_no_database_takes_hide_nobody(replicas: list[RunningPlatform]) -> None:
    one, two, _ = replicas
    prompt = await one.create(env="prod")
    await everywhere(replicas)
    async with (
        following(two, app="odd\x00name") as odd,
        following(two, app="honest") as honest,
    ):
        await honest.holds(prompt["key"])
        await odd.holds(prompt["key"])
        await shown(one, "oddname", keys=1)
        await odd.holds("\x00", "\ud800")
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
        for each in (here, there):
            await each.holds(prompt["key"])
        monkeypatch.setattr(repository, "holders", unavailable)
        answer = await one.http.post("/api/prompts/publish?wait=50ms", json={"id": prompt["id"]})
        assert answer.status_code == 200, answer.text
        assert (answer.json()["partial"], answer.json()["connected"]) == (True, 1)


async def everywhere(replicas: list[RunningPlatform]) -> None:
    """Wait until each has applied, and told, what the first one has."""
    revision = replicas[0].platform.feed.applied
    for each in replicas:
        assert await each.platform.feed.catch_up(revision, 5)
        await until(lambda each=each: not each.platform.hub._order._held)


async def stop_following(replica: RunningPlatform) -> None:
    """It lives, and learns of nothing."""
    assert replica.platform.notifications is not None
    await replica.platform.notifications.stop()
    await replica.platform.feed.stop()


async def shown(platform: RunningPlatform, app: str, **expected: Any) -> dict[str, Any]:
    """A live client, once it is shown as expected."""
    async with asyncio.timeout(6):
        while True:
            for each in sent(await platform.http.get("/api/clients")):
                if each["app"] == app and expected.items() <= each.items():
                    found: dict[str, Any] = each
                    return found
            await asyncio.sleep(0.05)
