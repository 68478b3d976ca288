"""Builds the run log, its statistics and its upkeep."""

from collections.abc import Callable

from promptops_flows.telemetry.text_policy import TextPolicy
from promptops_platform.access.composition import Access
from promptops_platform.changes.signals import Signals
from promptops_platform.clock import Clock
from promptops_platform.data_folder import instance_id
from promptops_platform.db.unit_of_work import Database
from promptops_platform.http.open_streams import OpenStreams
from promptops_platform.http.stop_signal import StopSignal
from promptops_platform.runlog.call_journal import CallJournal
from promptops_platform.runlog.call_log import CallLog
from promptops_platform.runlog.events import RunEvents
from promptops_platform.runlog.news import RunNews
from promptops_platform.runlog.prices import PriceTable
from promptops_platform.runlog.reading import RunReader
from promptops_platform.runlog.redaction import StoredTexts
from promptops_platform.runlog.retention import RunRetention
from promptops_platform.runlog.service import RunLog
from promptops_platform.runlog.statistics import RunStatistics
from promptops_platform.runlog.tables import RunRow
from promptops_platform.runlog.under_way import RunsUnderWay
from promptops_platform.runlog.waiting import RunWaits
from promptops_platform.settings import Settings
from promptops_platform.workspaces.composition import Workspaces


class RunLogRoom:
    """`calls` and `retention` are started once the database is ready."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        access: Access,
        workspaces: Workspaces,
        clock: Clock,
        *,
        text_policy: TextPolicy,
        when_ended: Callable[[RunRow], None],
        signals: Signals,
        streams: OpenStreams,
        stop: StopSignal,
    ) -> None:
        instance = instance_id(settings.data)
        self.prices = PriceTable.load(settings.prices)
        self.events = RunEvents()
        self.log = RunLog(
            workspaces=workspaces.service,
            prices=self.prices,
            texts=StoredTexts(text_policy),
            clock=clock,
            instance=instance,
            when_ended=when_ended,
            events=self.events,
        )
        self.under_way = RunsUnderWay(clock=clock, instance=instance, events=self.events)
        self.reader = RunReader(access.grants)
        self.news = RunNews(self.events, signals, stop)
        self.waits = RunWaits(
            database=database,
            reader=self.reader,
            news=self.news,
            authenticator=access.authenticator,
            streams=streams,
            stop=stop,
        )
        self.calls = CallLog(database=database, runs=self.log, journal=CallJournal(settings.data))
        self.statistics = RunStatistics(access.grants, clock)
        self.retention = RunRetention(
            database=database, clock=clock, days=settings.run_days, instance=instance
        )
        self.services = (self.reader, self.waits, self.calls, self.statistics, self.prices)
