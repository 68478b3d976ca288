"""The hub: hands each change to the connections that watch it."""

from collections.abc import Sequence

from promptops_platform.changes.schemas import ChangeType, NumberedChange
from promptops_platform.realtime.snapshot import Snapshot
from promptops_platform.realtime.watch import Client, Watch

# What alters an answer that can still be fetched; deletions would end an old client's watch.
SENT = frozenset({ChangeType.PROMPT_UPDATED, ChangeType.PROMPT_PUBLISHED})


class Hub:
    """All watching connections of this process; the last consumer of the change feed, so that an
    event goes out when its change is already visible to a fetch."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._watches: dict[str, Watch] = {}

    def add(self, watch: Watch) -> None:
        """Begin to send changes to `watch`."""
        self._watches[watch.client.id] = watch

    def remove(self, watch: Watch) -> None:
        """Stop sending to `watch`."""
        self._watches.pop(watch.client.id, None)

    def clients(self) -> list[Client]:
        """Who watches, newest connection first."""
        return [watch.client for watch in reversed(self._watches.values())]

    async def load(self) -> None:
        """Nothing to load: the hub keeps no state of the registry."""

    async def apply(self, changes: Sequence[NumberedChange]) -> None:
        for each in changes:
            if each.change.type in SENT:
                self._send(each)

    def _send(self, numbered: NumberedChange) -> None:
        change = numbered.change
        for watch in self._watches.values():
            if not watch.wants(change):
                continue
            # Only what this watcher would now fetch: not a prompt that another workspace's hides.
            served = self._snapshot.lookup(watch.workspace, change.env, change.key)
            if served is not None and served.prompt_id == change.resource_id:
                watch.put(change)
