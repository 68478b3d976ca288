"""Who watches, on all replicas."""

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.clock import Clock
from promptops_platform.realtime.hub import Hub
from promptops_platform.realtime.reports import EVERY_KEY, MOST_KEYS
from promptops_platform.realtime.schemas import LiveClient
from promptops_platform.realtime.watch import Follower, Watch


class LiveClients:
    def __init__(self, hub: Hub, grants: Grants, clock: Clock, replica: str) -> None:
        self._hub = hub
        self._grants = grants
        self._clock = clock
        self._replica = replica

    async def listed(self, actor: Actor) -> list[LiveClient]:
        """Who watches, newest connection first; without those of workspaces that don't exist for
        the caller."""
        found = [each for each in self._hub.connections() if self._may_see(actor, each)]
        found.sort(key=lambda each: each.client.connected_at, reverse=True)
        return [self._shown(each) for each in found]

    def _may_see(self, actor: Actor, watch: Watch | Follower) -> bool:
        named = watch.view.named
        if named is None:
            return actor.workspace_id is None
        return self._grants.find(actor, named) is not None

    def _shown(self, watch: Watch | Follower) -> LiveClient:
        if isinstance(watch, Watch):
            return LiveClient.of(
                watch.client,
                revision=None,
                lag_revisions=None,
                lag_seconds=None,
                keys=None,
                replica=self._replica,
                silent=True,
            )
        lag = None if watch.applied is None else max(0, self._hub.told - watch.applied)
        since = (
            None
            if watch.reported_at is None
            else (self._clock.now() - watch.reported_at).total_seconds()
        )
        keys = MOST_KEYS + 1 if EVERY_KEY in watch.keys else len(watch.keys)
        return LiveClient.of(
            watch.client,
            revision=watch.applied,
            lag_revisions=lag,
            lag_seconds=since,
            keys=keys,
            replica=self._replica,
            silent=False,
        )
