"""A watcher that can't keep up."""

import asyncio

from websockets.frames import Frame, Opcode

from harness.platform import WAIT_SECONDS, RunningPlatform, new_key, next_event
from promptops_platform.changes.schemas import Change, ChangeType
from promptops_platform.realtime.watchers import SLOW_AFTER, Backlog

FILLING = Frame(Opcode.BINARY, bytes(60_000)).serialize(mask=False)


def change(key: str, version: str) -> Change:
    return Change(ChangeType.PROMPT_UPDATED, "id", "default", key, "prod", version)


def drained(backlog: Backlog) -> list[tuple[str, str]]:
    changes = []
    while backlog:
        changes.append(backlog.take())
    return [(change.key, change.version) for change in changes]


def test_a_slow_watcher_gets_the_newest_event_of_each_key() -> None:
    backlog = Backlog()
    for number in range(SLOW_AFTER):
        backlog.put(change("first", str(number)))
    for number in range(10_000):
        backlog.put(change(f"key-{number % 3}", str(number)))
    got = drained(backlog)
    assert got[:SLOW_AFTER] == [("first", str(number)) for number in range(SLOW_AFTER)]
    assert got[SLOW_AFTER:] == [("key-1", "9997"), ("key-2", "9998"), ("key-0", "9999")]


def test_a_watcher_that_caught_up_gets_each_event_again() -> None:
    backlog = Backlog()
    for number in range(SLOW_AFTER + 5):
        backlog.put(change("a", str(number)))
    drained(backlog)
    backlog.put(change("a", "x"))
    backlog.put(change("a", "y"))
    assert drained(backlog) == [("a", "x"), ("a", "y")]


async def test_a_watcher_that_does_not_read_holds_up_nobody(platform: RunningPlatform) -> None:
    prompt = await platform.create(env="prod", content="0")
    app = new_key()
    async with (
        platform.watch(namespace="prod", app=app) as stuck,
        platform.watch(namespace="prod") as ok,
    ):
        stuck.transport.pause_reading()
        hub = platform.platform.realtime.hub
        connection = next(
            connection.connection
            for connection in hub.connections()
            if connection.client.app == app
        )
        while not connection.is_paused:
            connection.write(FILLING)
        for number in range(3):
            await platform.http.put(f"/api/prompts/{prompt['id']}", json={"content": str(number)})
            assert (await next_event(ok))["id"] == prompt["id"]
        stuck.transport.resume_reading()
        frames = 0
        async with asyncio.timeout(WAIT_SECONDS):
            while frames < 3:
                frames += isinstance(await stuck.recv(), str)
