"""Sends a resuming client what it has missed."""

import asyncio
import time

from promptops_platform.access.grants import CHANGES as RIGHTS
from promptops_platform.changes.feed import Feed
from promptops_platform.changes.schemas import NumberedChange
from promptops_platform.realtime import messages
from promptops_platform.realtime.hub import Hub
from promptops_platform.realtime.subscription import Visibility
from promptops_platform.realtime.watchers import ResumingWatcher

# A client must read each part of the missed changes within this time.
DRAIN_SECONDS = 10.0
# The size of a part, which waits in memory for a client that does not read.
BATCH = 200
# How long a client that is ahead of this replica waits for it.
AHEAD_SECONDS = 2.0


class Resumption:
    """Brings a resuming watcher from `since` to the present, without gap, repeat or disorder."""

    def __init__(self, feed: Feed, hub: Hub, visibility: Visibility) -> None:
        self._feed = feed
        self._hub = hub
        self._visibility = visibility
        # Reads in progress, shared by all that need the same: after a restart all clients reconnect
        # simultaneously.
        self._reads: dict[tuple[int, int], asyncio.Task[list[NumberedChange] | None]] = {}

    def send_hello(self, watcher: ResumingWatcher, epoch: str | None) -> bool:
        """Send the hello; returns whether the client has missed changes."""
        hub, since = self._hub, watcher.position
        revision = max(hub.revision, since)
        watcher.send(messages.hello(hub.epoch, revision, hub.heartbeat_seconds))
        if (epoch or "") != hub.epoch:
            hub.resync(watcher)
            return False
        watcher.applied = since
        return since != hub.revision or not hub.go_live(watcher)

    async def catch_up(self, watcher: ResumingWatcher) -> None:
        """Send the missed changes, and leave later ones to the hub; raises DatabaseUnavailable."""
        since = watcher.position
        if since > self._hub.revision and not await self._exists(since):
            await self._feed.was_set_back()
            self._hub.resync(watcher)
        while not self._hub.go_live(watcher) and await self._send_batch(watcher):
            pass

    async def _exists(self, since: int) -> bool:
        """Whether such a revision exists, because another replica may be ahead of this one. A
        replica that is late, or that can't reach the database, can't know, and believes the
        client."""
        asked_at = time.monotonic()
        await self._feed.poll_now(AHEAD_SECONDS)
        is_current = self._feed.seconds_behind <= time.monotonic() - asked_at
        return self._feed.applied >= since or not is_current

    async def _read(self, position: int, until: int) -> list[NumberedChange] | None:
        """Return a batch of the feed. Clients that resume from the same revision share one read."""
        task = self._reads.get((position, until))
        if task is None:
            task = asyncio.create_task(self._feed.changes_after(position, until, BATCH))
            self._reads[position, until] = task
            task.add_done_callback(lambda _done: self._reads.pop((position, until)))
        return await asyncio.shield(task)

    async def _send_batch(self, watcher: ResumingWatcher) -> bool:
        """Return whether there may be more to send."""
        changes = await self._read(watcher.position, self._hub.revision)
        if watcher.is_live:
            # What the client may see has changed meanwhile.
            return False
        if changes is None or any(numbered.change.type in RIGHTS for numbered in changes):
            # It was away for too long, or the caller may now see other workspaces.
            self._hub.resync(watcher)
            return False
        for numbered in changes:
            shown = self._visibility.shown(watcher.subscription, numbered.change)
            if shown is not None:
                watcher.send(messages.numbered_event(numbered.revision, shown))
        watcher.position = changes[-1].revision
        if not await watcher.connection.drained(DRAIN_SECONDS):
            watcher.cut()
            return False
        return True
