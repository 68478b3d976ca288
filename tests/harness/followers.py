"""A client that resumes where it left off."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection

from harness.platform import RunningPlatform, next_event

SIGNS_OF_LIFE = ("heartbeat",)


class Following:
    """A connection after its hello."""

    def __init__(self, connection: ClientConnection, hello: dict[str, Any]) -> None:
        self.connection = connection
        self.hello = hello

    async def next(self) -> dict[str, Any]:
        """The next message that is no heartbeat."""
        while True:
            message = await next_event(self.connection)
            if message["type"] not in SIGNS_OF_LIFE:
                return message

    async def holds(self, *keys: str) -> None:
        await self.connection.send(json.dumps({"type": "holding", "keys": keys}))

    async def has_applied(self, revision: int) -> None:
        await self.connection.send(json.dumps({"type": "applied", "revision": revision}))


@asynccontextmanager
async def following(
    platform: RunningPlatform, since: int | None = None, **query: str
) -> AsyncIterator[Following]:
    """Follows from `since` on, or from now; with the feed's epoch, unless another is given."""
    feed = platform.platform.feed
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
