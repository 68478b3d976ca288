"""The hub: hands each change to the connections that watch it."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import structlog

from promptops_flows.processes.waiting import end_tasks
from promptops_platform.access.authentication import Authenticator
from promptops_platform.changes.replicas import Replicas
from promptops_platform.changes.schemas import Change, NumberedChange
from promptops_platform.realtime import messages
from promptops_platform.realtime.console_visibility import ConsoleVisibility
from promptops_platform.realtime.heartbeat_wheel import HeartbeatWheel
from promptops_platform.realtime.lag import RecentChanges
from promptops_platform.realtime.replica_order import ReplicaOrder
from promptops_platform.realtime.subscription import Scope, Subscription, Visibility
from promptops_platform.realtime.watchers import LegacyWatcher, ResumingWatcher
from promptops_platform.serving.snapshot import Snapshot

log = structlog.get_logger(__name__)

# A connection is closed within a second of its session's end.
SWEEP_TICKS = 2
TICK_SECONDS = 0.25
# An existing client closes its connection when the socket is silent for 10 seconds. Others never
# reply to a ping, so a missing pong means nothing.
PING_SECONDS = 3.0
HEARTBEAT_SECONDS = 10
# A busy loop ticks late, so heartbeats are sent more often than promised.
HEARTBEAT_EVERY = 8.0
# After this many writes, other requests get their turn.
WRITES_AT_ONCE = 250
# From the range that applications may choose from; like 401 among the HTTP statuses.
SESSION_ENDED = 4401
# Makes a console fetch everything again.
EVERYTHING = Change(messages.RESYNC, "")


class SubscriberGroup:
    """Connections with equal subscriptions: what they may see is decided once for all of them."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.legacy: set[LegacyWatcher] = set()
        self.resuming: set[ResumingWatcher] = set()

    def __iter__(self) -> Iterator[LegacyWatcher | ResumingWatcher]:
        yield from self.legacy
        yield from self.resuming


class Hub:
    """All watching connections of this process. It announces what the feed's consumers have
    applied, so an event is sent only after its change is visible to a fetch."""

    def __init__(
        self,
        snapshot: Snapshot,
        authenticator: Authenticator,
        visibility: Visibility,
        console_visibility: ConsoleVisibility,
        replicas: Replicas,
        recent: RecentChanges,
        when_sent: Callable[[int], None],
    ) -> None:
        """`when_sent` is called with the number of events handed to connections."""
        self._when_sent = when_sent
        self._snapshot = snapshot
        self._visibility = visibility
        self._console_visibility = console_visibility
        self._recent = recent
        self._authenticator = authenticator
        self._order = ReplicaOrder(replicas, self._deliver)
        self._groups: dict[Subscription, SubscriberGroup] = {}
        self._pings: HeartbeatWheel[LegacyWatcher] = HeartbeatWheel(
            round(PING_SECONDS / TICK_SECONDS)
        )
        self._heartbeats: HeartbeatWheel[ResumingWatcher] = HeartbeatWheel(
            round(HEARTBEAT_EVERY / TICK_SECONDS)
        )
        # Ids of the connections that are new or have reported something new.
        self._changed: set[str] = set()
        self._ticking: asyncio.Task[None] | None = None
        # Groups do not change while their watchers are notified: a watcher would miss the event.
        self._notifying = asyncio.Lock()
        self.heartbeat_seconds = HEARTBEAT_SECONDS
        self.epoch = ""
        # The newest revision that is being announced, and the newest that everybody has received.
        self.revision = self.announced = 0

    def start(self) -> None:
        """Start sending heartbeats and closing connections whose session has ended."""
        self._ticking = asyncio.create_task(self._tick_forever(), name="watch-ticks")
        self._order.start()

    async def stop(self) -> None:
        """Stop both."""
        await end_tasks(self._ticking)
        await self._order.stop()

    def add(self, watcher: LegacyWatcher | ResumingWatcher) -> None:
        """Start sending to it; a resuming watcher first receives what it has missed."""
        self._join(watcher)
        if isinstance(watcher, LegacyWatcher):
            self._pings.add(watcher)
        else:
            self._heartbeats.add(watcher)

    def remove(self, watcher: LegacyWatcher | ResumingWatcher) -> None:
        """Stop sending to it."""
        self._leave(watcher)
        self._changed.discard(watcher.client.id)
        if isinstance(watcher, LegacyWatcher):
            self._pings.remove(watcher)
        else:
            self._heartbeats.remove(watcher)

    @property
    def watchers(self) -> int:
        """Return the number of watchers."""
        return sum(len(group.legacy) + len(group.resuming) for group in self._groups.values())

    def connections(self) -> Iterator[LegacyWatcher | ResumingWatcher]:
        """Return all watchers."""
        for group in self._groups.values():
            yield from group

    def groups(self) -> list[tuple[Subscription, SubscriberGroup]]:
        """Return the watchers grouped by subscription."""
        return list(self._groups.items())

    def note_change(self, watcher: LegacyWatcher | ResumingWatcher) -> None:
        """Note that it has reported something new."""
        self._changed.add(watcher.client.id)

    def take_changed(self) -> set[str]:
        """Return the ids of the connections that are new or have changed since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def flush(self, watcher: LegacyWatcher) -> None:
        """Send its backlog, without changes that can no longer be fetched."""
        subscription = watcher.subscription
        watcher.flush(
            lambda change: (
                subscription.is_console or self._visibility.concerns(subscription, change)
            )
        )

    def go_live(self, watcher: ResumingWatcher) -> bool:
        """Whether it has received everything so far; from then on it receives new changes."""
        if not watcher.is_live and watcher.position >= self.revision:
            watcher.is_live = True
        return watcher.is_live

    def resync(self, watcher: ResumingWatcher) -> None:
        """Make it fetch all its prompts again; from now on it receives new changes."""
        watcher.position, watcher.is_live = self.revision, True
        watcher.applied = None
        self.note_change(watcher)
        watcher.send(messages.resync(self.epoch, self.revision))

    async def reloaded(self, revision: int, epoch: str) -> None:
        async with self._notifying:
            self.revision = self.announced = revision
            self.epoch = epoch
            self._recent.reset(revision)
            self._review()
            for watcher in list(self.connections()):
                if isinstance(watcher, ResumingWatcher):
                    self.resync(watcher)
                elif watcher.subscription.is_console:
                    watcher.send(EVERYTHING, messages.console_resync())
            for change in self._snapshot.take_missed():
                await self._notify_legacy(change)

    async def applied(self, changes: Sequence[NumberedChange]) -> None:
        async with self._notifying:
            self.revision = changes[-1].revision
            # Before the events: a watcher that has lost a right does not receive what it covered.
            self._review()
            for numbered in changes:
                await self._notify_resuming(numbered)
            self.announced = self.revision
            self._recent.add(changes)
        await self._order.submit(changes)

    async def _deliver(self, changes: Sequence[NumberedChange]) -> None:
        """Notify watchers that cannot ask for a revision, once every replica serves it."""
        async with self._notifying:
            for numbered in changes:
                await self._notify_legacy(numbered.change)

    async def _notify_resuming(self, numbered: NumberedChange) -> None:
        encoded: dict[Change, bytes] = {}
        written = 0
        for subscription, group in list(self._groups.items()):
            shown = (
                self._visibility.shown(subscription, numbered.change) if group.resuming else None
            )
            if shown is None:
                continue
            frame = encoded.get(shown)
            if frame is None:
                frame = encoded[shown] = messages.numbered_event(numbered.revision, shown)
            for watcher in list(group.resuming):
                if not watcher.is_live or watcher.position >= numbered.revision:
                    continue
                watcher.position = numbered.revision
                watcher.send(frame)
                written += 1
                if written % WRITES_AT_ONCE == 0:
                    await asyncio.sleep(0)
        self._when_sent(written)

    async def _notify_legacy(self, change: Change) -> None:
        encoded: dict[tuple[bool, Change], bytes] = {}
        written = 0
        for subscription, group in list(self._groups.items()):
            if subscription.is_console:
                change_for = self._console_visibility.shown
            else:
                change_for = self._visibility.fetchable
            shown = change_for(subscription, change) if group.legacy else None
            if shown is None:
                continue
            frame = encoded.get((subscription.is_console, shown))
            if frame is None:
                event = messages.console_event if subscription.is_console else messages.event
                frame = encoded[subscription.is_console, shown] = event(shown)
            for watcher in list(group.legacy):
                watcher.send(shown, frame)
                written += 1
                if written % WRITES_AT_ONCE == 0:
                    await asyncio.sleep(0)
        self._when_sent(written)

    async def _tick_forever(self) -> None:
        clock = asyncio.get_running_loop().time
        ticks, began = 0, clock()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            # After a busy period several ticks are due, and the heartbeats with them.
            due = max(1, round((clock() - began) / TICK_SECONDS) - ticks)
            ticks += due
            try:
                if ticks % SWEEP_TICKS < due and not self._notifying.locked():
                    self._review()
                self._beat(due)
            except Exception:
                log.exception("watch_tick_failed")

    def _beat(self, ticks: int) -> None:
        for legacy in self._pings.turn(ticks):
            legacy.ping()
        frame = messages.heartbeat(self.announced)
        for resuming in self._heartbeats.turn(ticks):
            if resuming.is_stuck():
                resuming.cut()
            elif resuming.is_live and resuming.position <= self.announced:
                resuming.send(frame)
            else:
                resuming.send(messages.heartbeat(resuming.position))

    def _review(self) -> None:
        """Close connections whose session or key has ended and update the rights of the others.
        A watcher that now sees other workspaces fetches its prompts again."""
        for subscription, group in list(self._groups.items()):
            actor = self._authenticator.current(subscription.actor)
            now = subscription if actor is subscription.actor else None
            if now is None and actor is not None:
                now = replace(subscription, actor=actor)
            scope = None if now is None else self._visibility.scope(now)
            if now is None or scope is None:
                for watcher in list(group):
                    watcher.connection.end(
                        SESSION_ENDED, "the session or API key has ended; log in again"
                    )
                continue
            if scope != group.scope:
                group.scope = scope
                self._resync_all(group, is_console=subscription.is_console)
            if now != subscription:
                for watcher in list(group):
                    self._leave(watcher)
                    watcher.subscription = now
                    self._join(watcher)

    def _resync_all(self, group: SubscriberGroup, *, is_console: bool) -> None:
        """Resynchronize watchers that now see other workspaces."""
        for resuming in group.resuming:
            self.resync(resuming)
        # Other replicas store the workspaces of each watcher.
        for legacy in group.legacy:
            self.note_change(legacy)
            if is_console:
                legacy.send(EVERYTHING, messages.console_resync())

    def _join(self, watcher: LegacyWatcher | ResumingWatcher) -> None:
        self.note_change(watcher)
        group = self._groups.get(watcher.subscription)
        if group is None:
            group = self._groups[watcher.subscription] = SubscriberGroup(
                self._visibility.scope(watcher.subscription)
            )
        if isinstance(watcher, LegacyWatcher):
            group.legacy.add(watcher)
        else:
            group.resuming.add(watcher)

    def _leave(self, watcher: LegacyWatcher | ResumingWatcher) -> None:
        group = self._groups.get(watcher.subscription)
        if group is None:
            return
        group.legacy.discard(watcher)
        group.resuming.discard(watcher)
        if not group.legacy and not group.resuming:
            del self._groups[watcher.subscription]
