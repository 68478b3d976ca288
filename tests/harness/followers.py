"""A client that resumes after a disconnection."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import select
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from harness.platform import RunningPlatform, next_event
from harness.processes import WAIT_SECONDS
from promptops_platform.changes.tables import ChangeRow

TOLD = ("prompt.updated", "prompt.published", "prompt.deleted")


class Following:
    """A connection after its hello."""

    def __init__(self, connection: ClientConnection, hello: dict[str, Any]) -> None:
        self.connection = connection
        self.hello = hello

    async def next(self) -> dict[str, Any]:
        """The next message that isn't a heartbeat."""
        while True:
            message = await next_event(self.connection)
            if message["type"] != "heartbeat":
                return message

    async def report_keys(self, *keys: str) -> None:
        await self.connection.send(json.dumps({"type": "holding", "keys": keys}))

    async def has_applied(self, revision: int) -> None:
        await self.connection.send(json.dumps({"type": "applied", "revision": revision}))


@asynccontextmanager
async def following(
    platform: RunningPlatform, since: int | None = None, **query: str
) -> AsyncIterator[Following]:
    """Watches from `since` on, or from now; with the feed's epoch, unless another one is passed."""
    feed = platform.platform.changes.feed
    if since is None:
        await platform.announced()
    asked = {
        "namespace": "prod",
        "since": str(feed.applied if since is None else since),
        "epoch": feed.epoch,
        **query,
    }
    async with platform.watch(**asked) as connection:
        hello = await next_event(connection)
        assert hello["type"] == "hello"
        yield Following(connection, hello)


async def feed_events(
    platform: RunningPlatform, after: int, env: str = "prod"
) -> list[dict[str, Any]]:
    """The events since then that a watcher of the environment must receive, from the feed's
    table."""
    async with platform.platform.database.read() as transaction:
        rows = await transaction.session.scalars(
            select(ChangeRow)
            .where(ChangeRow.revision > after, ChangeRow.env == env, ChangeRow.type.in_(TOLD))
            .order_by(ChangeRow.revision)
        )
        return [
            {
                "type": row.type,
                "id": row.resource_id,
                "key": row.key,
                "env": row.env,
                "version": row.version,
                "revision": row.revision,
            }
            for row in rows
        ]


async def follow_at_random(
    replicas: Sequence[RunningPlatform], since: int, epoch: str, done: asyncio.Event, seed: int
) -> list[int]:
    """Connect and disconnect repeatedly, at one replica and another, until it is `done` and has
    received everything; returns the revisions of the events, in order of arrival."""
    chance, seen = random.Random(seed), []
    start = since
    while not done.is_set():
        async with following(chance.choice(replicas), since, epoch=epoch) as follower:
            for _ in range(chance.randint(0, 7)):
                try:
                    async with asyncio.timeout(chance.random() / 4):
                        since = (await follower.next())["revision"]
                except TimeoutError:
                    break
                seen.append(since)
    last = (await feed_events(replicas[0], start))[-1]["revision"]
    async with following(chance.choice(replicas), since, epoch=epoch) as follower:
        while since < last:
            since = (await follower.next())["revision"]
            seen.append(since)
    return seen


async def closed(connection: ClientConnection) -> int:
    """The close code of the server."""
    with pytest.raises(ConnectionClosed) as ended:
        await asyncio.wait_for(_read(connection), WAIT_SECONDS)
    assert ended.value.rcvd is not None
    return ended.value.rcvd.code


async def _read(connection: ClientConnection) -> None:
    while True:
        await connection.recv()
