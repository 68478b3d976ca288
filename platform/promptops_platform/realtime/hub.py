"""The hub: hands each change to the connections that watch it."""

import asyncio
from collections.abc import Sequence

from promptops_platform.access.actor import Actor
from promptops_platform.access.authentication import Authenticator
from promptops_platform.access.grants import Grants
from promptops_platform.changes.schemas import Change, ChangeType, NumberedChange
from promptops_platform.realtime.snapshot import Entry, Snapshot
from promptops_platform.realtime.watch import Client, Watch

# What alters an answer that can still be fetched; deletions would end an old client's watch.
SENT = frozenset({ChangeType.PROMPT_UPDATED, ChangeType.PROMPT_PUBLISHED})
# A watch ends within a second of its session.
SWEEP_SECONDS = 0.5


class Hub:
    """All watching connections of this process; the last consumer of the change feed, so that an
    event goes out when its change is already visible to a fetch."""

    def __init__(self, snapshot: Snapshot, authenticator: Authenticator, grants: Grants) -> None:
        self._snapshot = snapshot
        self._grants = grants
        self._authenticator = authenticator
        self._watches: dict[str, Watch] = {}
        self._sweeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to end the watches whose session has ended."""
        self._sweeping = asyncio.create_task(self._sweep_forever(), name="watch-sweep")

    async def stop(self) -> None:
        """Stop that."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait([self._sweeping])

    def add(self, watch: Watch) -> None:
        """Begin to send changes to `watch`."""
        self._watches[watch.client.id] = watch

    def remove(self, watch: Watch) -> None:
        """Stop sending to `watch`."""
        self._watches.pop(watch.client.id, None)

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watches)

    def clients(self, actor: Actor) -> list[Client]:
        """Who watches, newest connection first; without those of workspaces that don't exist for
        the caller."""
        watches = reversed(self._watches.values())
        return [watch.client for watch in watches if self._may_see(actor, watch)]

    def _may_see(self, actor: Actor, watch: Watch) -> bool:
        named = watch.actor.workspace_id or watch.workspace
        if named is None:
            return actor.workspace_id is None
        return self._grants.find(actor, named) is not None

    def concerns(self, watch: Watch, change: Change) -> bool:
        """Whether the change is of what this watcher would fetch now: not of a prompt that is
        gone meanwhile, or that another workspace's hides."""
        served = self._served(watch, change)
        return served is not None and served.prompt_id == change.resource_id

    async def load(self) -> None:
        """Tell of what a reload of the snapshot has changed or uncovered."""
        for change in self._snapshot.take_missed():
            self._tell(change)

    async def apply(self, changes: Sequence[NumberedChange]) -> None:
        # Before the events: who has lost a right since is not told of what it covered.
        self._review()
        for each in changes:
            self._tell(each.change)

    def _tell(self, change: Change) -> None:
        if change.type in SENT:
            self._offer(change)
        elif change.type == ChangeType.PROMPT_DELETED:
            self._offer_uncovered(change)

    def _offer(self, change: Change) -> None:
        for watch in self._watches.values():
            if watch.wants(change) and self.concerns(watch, change):
                watch.put(change)

    def _offer_uncovered(self, deleted: Change) -> None:
        """A deletion may uncover another workspace's prompt of that name."""
        for watch in self._watches.values():
            served = self._served(watch, deleted) if watch.wants(deleted) else None
            if served is not None and self._covered(watch, deleted, served):
                watch.put(served.as_change(ChangeType.PROMPT_UPDATED, deleted.env, deleted.key))

    def _covered(self, watch: Watch, deleted: Change, served: Entry) -> bool:
        """Whether the watcher fetched the deleted prompt, and not this one, until now."""
        if watch.actor.workspace_id or watch.workspace:
            return False
        workspace_id, ranks = deleted.workspace_id or "", self._grants.ranks
        if workspace_id not in ranks:
            # It is deleted too: whatever it covered, nobody knows any more.
            return True
        # A new prompt in the place of the deleted one has an event of its own.
        above = ranks[workspace_id] < ranks.get(served.workspace_id, len(ranks))
        return above and self._grants.can_read(watch.actor, workspace_id)

    def _served(self, watch: Watch, change: Change) -> Entry | None:
        return self._snapshot.lookup(watch.actor, watch.workspace, change.env, change.key)

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._review()

    def _review(self) -> None:
        """End the watches whose session or key has ended; the others have the rights of now."""
        for watch in self._watches.values():
            actor = self._authenticator.current(watch.actor)
            if actor is None:
                watch.ended.set()
            else:
                watch.actor = actor
