"""The hub: hands each change to the connections that watch it."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

import structlog

from promptops_flows.waiting import end_tasks
from promptops_platform.access.authentication import Authenticator
from promptops_platform.changes.replicas import Replicas
from promptops_platform.changes.schemas import Change, NumberedChange
from promptops_platform.realtime import messages
from promptops_platform.realtime.beats import Wheel
from promptops_platform.realtime.lag import RecentChanges
from promptops_platform.realtime.replica_order import ReplicaOrder
from promptops_platform.realtime.snapshot import Snapshot
from promptops_platform.realtime.view import Scope, Sight, View
from promptops_platform.realtime.watch import Follower, Watch

log = structlog.get_logger(__name__)

# A watch ends within a second of its session.
SWEEP_TICKS = 2
TICK_SECONDS = 0.25
# An existing client ends its watch when the socket is silent for 10 seconds; others never answer
# a ping, so a missing pong means nothing.
PING_SECONDS = 3.0
HEARTBEAT_SECONDS = 10
# A busy loop ticks late: the signs of life come more often than promised.
HEARTBEAT_EVERY = 8.0
# So many are written to before other requests get their turn.
WRITES_AT_ONCE = 250
# Of the codes that applications may choose, as 401 is among the statuses.
SESSION_ENDED = 4401


class Crowd:
    """Connections with one view: what they may see is decided once for all of them."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.watches: set[Watch] = set()
        self.followers: set[Follower] = set()

    def __iter__(self) -> Iterator[Watch | Follower]:
        yield from self.watches
        yield from self.followers


class Hub:
    """All watching connections of this process. It announces what the feed's consumers have
    applied, so that an event goes out when its change is already visible to a fetch."""

    def __init__(
        self,
        snapshot: Snapshot,
        authenticator: Authenticator,
        sight: Sight,
        replicas: Replicas,
        recent: RecentChanges,
        when_sent: Callable[[int], None],
    ) -> None:
        """`when_sent` is told how many events were handed to connections."""
        self._when_sent = when_sent
        self._snapshot = snapshot
        self._sight = sight
        self._recent = recent
        self._authenticator = authenticator
        self._order = ReplicaOrder(replicas, self._deliver)
        self._crowds: dict[View, Crowd] = {}
        self._pings: Wheel[Watch] = Wheel(round(PING_SECONDS / TICK_SECONDS))
        self._heartbeats: Wheel[Follower] = Wheel(round(HEARTBEAT_EVERY / TICK_SECONDS))
        # Ids of those that are new or say something new of themselves.
        self._changed: set[str] = set()
        self._ticking: asyncio.Task[None] | None = None
        # Nobody changes crowds while these are told something: they would miss it.
        self._telling = asyncio.Lock()
        self.heartbeat_seconds = HEARTBEAT_SECONDS
        self.epoch = ""
        # Up to where changes are being told, and up to where everybody has been told.
        self.revision = self.told = 0

    def start(self) -> None:
        """Begin to send signs of life, and to end the watches whose session has ended."""
        self._ticking = asyncio.create_task(self._tick_forever(), name="watch-ticks")
        self._order.start()

    async def stop(self) -> None:
        """Stop that."""
        await end_tasks(self._ticking)
        await self._order.stop()

    def add(self, watch: Watch | Follower) -> None:
        """Begin to send to it; a follower is told what it has missed before it is live."""
        self._join(watch)
        if isinstance(watch, Watch):
            self._pings.add(watch)
        else:
            self._heartbeats.add(watch)

    def remove(self, watch: Watch | Follower) -> None:
        """Stop sending to it."""
        self._leave(watch)
        self._changed.discard(watch.client.id)
        if isinstance(watch, Watch):
            self._pings.remove(watch)
        else:
            self._heartbeats.remove(watch)

    @property
    def watchers(self) -> int:
        """How many watch."""
        return sum(len(crowd.watches) + len(crowd.followers) for crowd in self._crowds.values())

    def connections(self) -> Iterator[Watch | Follower]:
        """All that watch."""
        for crowd in self._crowds.values():
            yield from crowd

    def crowds(self) -> list[tuple[View, Crowd]]:
        """The same by what they see."""
        return list(self._crowds.items())

    def note_change(self, watch: Watch | Follower) -> None:
        """It has said something new of itself."""
        self._changed.add(watch.client.id)

    def take_changed(self) -> set[str]:
        """Ids of the connections that are new or have changed since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def flush(self, watch: Watch) -> None:
        """Send what waits for it: what is gone meanwhile can't be fetched any more."""
        watch.flush(lambda change: self._sight.concerns(watch.view, change))

    def go_live(self, follower: Follower) -> bool:
        """Whether it has been told everything up to now, and is told what happens from now on."""
        if not follower.is_live and follower.position >= self.revision:
            follower.is_live = True
        return follower.is_live

    def resync(self, follower: Follower) -> None:
        """Have it fetch anew whatever it holds, and tell it what happens from now on."""
        follower.position, follower.is_live = self.revision, True
        follower.applied = None
        self.note_change(follower)
        follower.send(messages.resync(self.epoch, self.revision))

    async def reloaded(self, revision: int, epoch: str) -> None:
        async with self._telling:
            self.revision = self.told = revision
            self.epoch = epoch
            self._recent.reset(revision)
            self._review()
            for watch in list(self.connections()):
                if isinstance(watch, Follower):
                    self.resync(watch)
            for change in self._snapshot.take_missed():
                await self._tell_watches(change)

    async def applied(self, changes: Sequence[NumberedChange]) -> None:
        async with self._telling:
            self.revision = changes[-1].revision
            # Before the events: who has lost a right since is not told of what it covered.
            self._review()
            for each in changes:
                await self._tell_followers(each)
            self.told = self.revision
            self._recent.add(changes)
        await self._order.submit(changes)

    async def _deliver(self, changes: Sequence[NumberedChange]) -> None:
        """Tell those who can't ask for a revision, once every replica serves it."""
        async with self._telling:
            for each in changes:
                await self._tell_watches(each.change)

    async def _tell_followers(self, numbered: NumberedChange) -> None:
        encoded: dict[Change, bytes] = {}
        written = 0
        for view, crowd in list(self._crowds.items()):
            shown = self._sight.shown(view, numbered.change) if crowd.followers else None
            if shown is None:
                continue
            frame = encoded.get(shown)
            if frame is None:
                frame = encoded[shown] = messages.numbered_event(numbered.revision, shown)
            for follower in list(crowd.followers):
                if not follower.is_live or follower.position >= numbered.revision:
                    continue
                follower.position = numbered.revision
                follower.send(frame)
                written += 1
                if written % WRITES_AT_ONCE == 0:
                    await asyncio.sleep(0)
        self._when_sent(written)

    async def _tell_watches(self, change: Change) -> None:
        encoded: dict[Change, bytes] = {}
        written = 0
        for view, crowd in list(self._crowds.items()):
            shown = self._sight.fetchable(view, change) if crowd.watches else None
            if shown is None:
                continue
            frame = encoded.get(shown)
            if frame is None:
                frame = encoded[shown] = messages.event(shown)
            for watch in list(crowd.watches):
                watch.send(shown, frame)
                written += 1
                if written % WRITES_AT_ONCE == 0:
                    await asyncio.sleep(0)
        self._when_sent(written)

    async def _tick_forever(self) -> None:
        clock = asyncio.get_running_loop().time
        ticks, began = 0, clock()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            # On a loop that was busy several are due, and the signs of life with them.
            due = max(1, round((clock() - began) / TICK_SECONDS) - ticks)
            ticks += due
            try:
                if ticks % SWEEP_TICKS < due and not self._telling.locked():
                    self._review()
                self._beat(due)
            except Exception:
                log.exception("watch_tick_failed")

    def _beat(self, ticks: int) -> None:
        for watch in self._pings.turn(ticks):
            watch.ping()
        frame = messages.heartbeat(self.told)
        for follower in self._heartbeats.turn(ticks):
            if follower.is_stuck():
                follower.cut()
            elif follower.is_live and follower.position <= self.told:
                follower.send(frame)
            else:
                follower.send(messages.heartbeat(follower.position))

    def _review(self) -> None:
        """End the watches whose session or key has ended; the others have the rights of now, and
        who follows and sees other workspaces than before fetches anew."""
        for view, crowd in list(self._crowds.items()):
            actor = self._authenticator.current(view.actor)
            now = view if actor is view.actor else None
            if now is None and actor is not None:
                now = View(actor, view.workspace, view.namespace)
            scope = None if now is None else self._sight.scope(now)
            if now is None or scope is None:
                for watch in list(crowd):
                    watch.connection.end(
                        SESSION_ENDED, "the session or API key has ended; log in again"
                    )
                continue
            if scope != crowd.scope:
                crowd.scope = scope
                for follower in crowd.followers:
                    self.resync(follower)
                # What other replicas know of them names the workspaces.
                for watch in crowd.watches:
                    self.note_change(watch)
            if now != view:
                for watch in list(crowd):
                    self._leave(watch)
                    watch.view = now
                    self._join(watch)

    def _join(self, watch: Watch | Follower) -> None:
        self.note_change(watch)
        crowd = self._crowds.get(watch.view)
        if crowd is None:
            crowd = self._crowds[watch.view] = Crowd(self._sight.scope(watch.view))
        if isinstance(watch, Watch):
            crowd.watches.add(watch)
        else:
            crowd.followers.add(watch)

    def _leave(self, watch: Watch | Follower) -> None:
        crowd = self._crowds.get(watch.view)
        if crowd is None:
            return
        crowd.watches.discard(watch)
        crowd.followers.discard(watch)
        if not crowd.watches and not crowd.followers:
            del self._crowds[watch.view]
