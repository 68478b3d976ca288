"""A watcher that can't keep up."""

import asyncio
import json

from harness.platform import RunningPlatform
from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Role
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.clock import FakeClock
from promptops_platform.realtime.watch import SLOW_AFTER, Client, Watch


def change(key: str, version: str) -> Change:
    return Change(ChangeType.PROMPT_UPDATED, "id", "default", key, "prod", version)


def new_watch() -> Watch:
    client = Client("c", "", "", "prod", "", "", FakeClock().now())
    return Watch(client, Actor("somebody", Role.VIEWER), None)


async def drained(watch: Watch) -> list[tuple[str, str]]:
    messages = []
    while not watch.empty:
        messages.append(await watch.next_change())
    return [(each.key, each.version) for each in messages]


async def test_a_slow_watcher_gets_the_newest_event_of_each_key() -> None:
    watch = new_watch()
    for number in range(SLOW_AFTER):
        watch.put(change("first", str(number)))
    for number in range(10_000):
        watch.put(change(f"key-{number % 3}", str(number)))
    got = await drained(watch)
    assert got[:SLOW_AFTER] == [("first", str(number)) for number in range(SLOW_AFTER)]
    assert got[SLOW_AFTER:] == [("key-1", "9997"), ("key-2", "9998"), ("key-0", "9999")]


async def test_a_watcher_that_caught_up_gets_each_event_again() -> None:
    watch = new_watch()
    for number in range(SLOW_AFTER + 5):
        watch.put(change("a", str(number)))
    await drained(watch)
    watch.put(change("a", "x"))
    watch.put(change("a", "y"))
    assert await drained(watch) == [("a", "x"), ("a", "y")]


async def test_a_watcher_that_does_not_read_holds_up_nobody(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod", content="0")
    big = await platform.create("k" * 200, env="prod")
    async with platform.watch(namespace="prod") as stuck, platform.watch(namespace="prod") as ok:
        stuck.transport.pause_reading()
        for number in range(300):
            version = {"version": f"w{number}"}
            await platform.http.put(f"/api/prompts/{big['id']}", json=version)
        await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": "1"})
        async with asyncio.timeout(5):
            while json.loads(await ok.recv())["id"] != prompt["id"]:
                pass
        stuck.transport.resume_reading()
