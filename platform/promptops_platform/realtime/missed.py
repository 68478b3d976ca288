"""What a client that resumes has missed."""

import asyncio
import time

from promptops_platform.access.grants import CHANGES as RIGHTS
from promptops_platform.changes.feed import Feed
from promptops_platform.changes.schemas import NumberedChange
from promptops_platform.realtime import messages
from promptops_platform.realtime.hub import Hub
from promptops_platform.realtime.view import Sight
from promptops_platform.realtime.watch import Follower

# A client that is told what it missed must have read a part of it in this time.
DRAIN_SECONDS = 10.0
# Such a part waits in memory for a client that does not read.
BATCH = 200
# How long a client that is ahead of this replica waits for it.
AHEAD_SECONDS = 2.0


class Resumption:
    """Takes a follower from its `since` to the present, without gap, repeat or disorder."""

    def __init__(self, feed: Feed, hub: Hub, sight: Sight) -> None:
        self._feed = feed
        self._hub = hub
        self._sight = sight
        # After a restart all clients come at once.
        self._reads: dict[tuple[int, int], asyncio.Task[list[NumberedChange] | None]] = {}

    def greet(self, follower: Follower, epoch: str | None) -> bool:
        """Say hello; whether something is left to `tell`."""
        hub, since = self._hub, follower.position
        revision = max(hub.revision, since)
        follower.send(messages.hello(hub.epoch, revision, hub.heartbeat_seconds))
        if (epoch or "") != hub.epoch:
            hub.resync(follower)
            return False
        follower.applied = since
        return since != hub.revision or not hub.go_live(follower)

    async def tell(self, follower: Follower) -> None:
        """Tell what was missed, and leave the rest to the hub; raises DatabaseUnavailable."""
        since = follower.position
        if since > self._hub.revision and not await self._exists(since):
            await self._feed.was_set_back()
            self._hub.resync(follower)
        while not self._hub.go_live(follower) and await self._tell_batch(follower):
            pass

    async def _exists(self, since: int) -> bool:
        """Whether there is such a revision: another replica may be ahead of this one. A replica
        that is late, or can't reach the database, does not know, and believes it."""
        asked_at = time.monotonic()
        await self._feed.poll_now(AHEAD_SECONDS)
        is_current = self._feed.seconds_behind <= time.monotonic() - asked_at
        return self._feed.applied >= since or not is_current

    async def _read(self, position: int, until: int) -> list[NumberedChange] | None:
        """A batch of the feed; those who left off at the same place share one reading."""
        task = self._reads.get((position, until))
        if task is None:
            task = asyncio.create_task(self._feed.missed(position, until, BATCH))
            self._reads[position, until] = task
            task.add_done_callback(lambda _done: self._reads.pop((position, until)))
        return await asyncio.shield(task)

    async def _tell_batch(self, follower: Follower) -> bool:
        """Whether there may be more to tell."""
        changes = await self._read(follower.position, self._hub.revision)
        if follower.is_live:
            # Meanwhile what it may see has changed.
            return False
        if changes is None or any(each.change.type in RIGHTS for each in changes):
            # Too long ago, or of other workspaces than it may see now.
            self._hub.resync(follower)
            return False
        for each in changes:
            shown = self._sight.shown(follower.view, each.change)
            if shown is not None:
                follower.send(messages.numbered_event(each.revision, shown))
        follower.position = changes[-1].revision
        if not await follower.connection.drained(DRAIN_SECONDS):
            follower.cut()
            return False
        return True
