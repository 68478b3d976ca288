"""The parts of hot reload, connected."""

from collections.abc import Callable

from promptops_platform.access.authentication import Authenticator
from promptops_platform.access.grants import Grants
from promptops_platform.changes.feed import Feed
from promptops_platform.changes.replicas import Replicas
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.realtime.environments import EnvironmentAnswers
from promptops_platform.realtime.hub import Hub
from promptops_platform.realtime.lag import RecentChanges
from promptops_platform.realtime.live_clients import LiveClients
from promptops_platform.realtime.missed import Resumption
from promptops_platform.realtime.presence import Presence
from promptops_platform.realtime.reports import Reports
from promptops_platform.realtime.snapshot import Snapshot
from promptops_platform.realtime.socket import WatchEndpoint
from promptops_platform.realtime.view import Sight


class Realtime:
    """What of it runs is started after the feed."""

    def __init__(
        self,
        *,
        database: Database,
        feed: Feed,
        replicas: Replicas,
        snapshot: Snapshot,
        authenticator: Authenticator,
        grants: Grants,
        clock: Clock,
        when_sent: Callable[[int], None],
    ) -> None:
        sight, reports = Sight(snapshot, grants), Reports(clock)
        recent = RecentChanges(clock)
        self.hub = Hub(snapshot, authenticator, sight, replicas, recent, when_sent)
        self.presence = Presence(database, replicas, self.hub, sight)
        self.environment_answers = EnvironmentAnswers(snapshot, grants, feed)
        self.live_clients = LiveClients(
            database=database,
            grants=grants,
            snapshot=snapshot,
            replicas=replicas,
            hub=self.hub,
            sight=sight,
            presence=self.presence,
            reports=reports,
            recent=recent,
        )
        self.watch = WatchEndpoint(
            self.hub,
            resumption=Resumption(feed, self.hub, sight),
            reports=reports,
            authenticator=authenticator,
            clock=clock,
        )

    def start(self) -> None:
        """Begin to tell of what is applied, and who watches."""
        self.hub.start()
        self.presence.start()

    async def stop(self) -> None:
        """Stop that."""
        await self.presence.stop()
        await self.hub.stop()
