"""Builds hot reload."""

from collections.abc import Callable

from promptops_platform.access.authentication import Authenticator
from promptops_platform.access.grants import Grants
from promptops_platform.changes.feed import Feed
from promptops_platform.changes.replicas import Replicas
from promptops_platform.changes.signals import Signals
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.realtime.console_visibility import ConsoleVisibility
from promptops_platform.realtime.hub import Hub
from promptops_platform.realtime.lag import RecentChanges
from promptops_platform.realtime.live_clients import LiveClients
from promptops_platform.realtime.presence import Presence
from promptops_platform.realtime.prompt_holders import PromptHolders
from promptops_platform.realtime.reports import Reports
from promptops_platform.realtime.resumption import Resumption
from promptops_platform.realtime.run_announcer import RunAnnouncer
from promptops_platform.realtime.socket import WatchEndpoint
from promptops_platform.realtime.subscription import Visibility
from promptops_platform.runlog.events import RunEvents
from promptops_platform.serving.snapshot import Snapshot


class Realtime:
    """Its background tasks are started after the feed."""

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
        run_events: RunEvents,
        signals: Signals,
    ) -> None:
        visibility, reports = Visibility(snapshot, grants), Reports(clock)
        console_visibility, recent = ConsoleVisibility(grants), RecentChanges(clock)
        self.hub = Hub(
            snapshot, authenticator, visibility, console_visibility, replicas, recent, when_sent
        )
        self.run_announcer = RunAnnouncer(run_events, self.hub, console_visibility, signals)
        self.presence = Presence(database, replicas, self.hub, visibility)
        self.live_clients = LiveClients(
            database=database,
            grants=grants,
            snapshot=snapshot,
            replicas=replicas,
            hub=self.hub,
            visibility=visibility,
            presence=self.presence,
            reports=reports,
            recent=recent,
        )
        self.prompt_holders = PromptHolders(
            database=database,
            snapshot=snapshot,
            replicas=replicas,
            hub=self.hub,
            visibility=visibility,
            clients=self.live_clients,
            recent=recent,
        )
        self.watch = WatchEndpoint(
            self.hub,
            resumption=Resumption(feed, self.hub, visibility),
            reports=reports,
            authenticator=authenticator,
            clock=clock,
        )

        self.services = (self.live_clients,)

    def start(self) -> None:
        """Start the hub, and the reports of what is applied and who watches."""
        self.hub.start()
        self.run_announcer.start()
        self.presence.start()

    async def stop(self) -> None:
        """Stop all of them."""
        await self.run_announcer.stop()
        await self.presence.stop()
        await self.hub.stop()
