"""The change feed, its writer, and the replicas that follow it, connected."""

from promptops_platform.changes.feed import Feed
from promptops_platform.changes.notifications import Notifications
from promptops_platform.changes.replicas import Replicas
from promptops_platform.changes.service import ChangeLog
from promptops_platform.changes.signals import Signals
from promptops_platform.clock import Clock
from promptops_platform.data_folder import instance_id
from promptops_platform.db.location import PostgresUrl
from promptops_platform.db.unit_of_work import Database
from promptops_platform.settings import Settings


class Changes:
    """Its services are started first, and stopped last."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self.feed = Feed(database, clock)
        self.log = ChangeLog(self.feed, clock)
        self.replicas = Replicas(database, self.feed, instance_id(settings.data))
        self.signals = Signals(self.replicas)
        self.notifications = (
            Notifications(settings.database_location, self.feed, self.replicas, self.signals)
            if isinstance(settings.database_location, PostgresUrl)
            else None
        )
        self.services = (self.feed,)
