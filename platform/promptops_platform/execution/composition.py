"""Builds what executes runs, and the connection to the run engine."""

import asyncio

from promptops_flows.protocol.engine_client import EngineClient
from promptops_flows.telemetry.text_policy import TextPolicy
from promptops_platform.access.composition import Access
from promptops_platform.changes.composition import Changes
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.execution.access import RunAccess
from promptops_platform.execution.attempt import AttemptReader
from promptops_platform.execution.attempts import RunAttempts
from promptops_platform.execution.cancelling import RunCancels
from promptops_platform.execution.decisions import WaitingRuns
from promptops_platform.execution.detached import DetachedRuns
from promptops_platform.execution.engine_start import EngineStart
from promptops_platform.execution.executor import RunExecutor
from promptops_platform.execution.idempotency import IdempotentRuns
from promptops_platform.execution.live_events import LiveEvents
from promptops_platform.execution.places import Limit, Places
from promptops_platform.execution.pooled_runs import PooledRuns
from promptops_platform.execution.prefect_retries import PrefectRetries
from promptops_platform.execution.retention import RetryRetention
from promptops_platform.execution.retrying import RunRetries
from promptops_platform.execution.run_end import RunEnds
from promptops_platform.execution.run_feed import RunFeeds
from promptops_platform.execution.run_views import RunViews
from promptops_platform.execution.stored_runs import StoredRuns
from promptops_platform.execution.subjects import ReceiverSource, RunSubject
from promptops_platform.execution.suspended_flow_runs import SuspendedFlowRuns
from promptops_platform.execution.suspending import Suspensions
from promptops_platform.execution.takeover import TakeOver
from promptops_platform.http.open_streams import OpenStreams
from promptops_platform.http.stop_signal import StopSignal
from promptops_platform.providers.composition import Providers
from promptops_platform.runlog.composition import RunLogRoom
from promptops_platform.settings import Settings
from promptops_platform.supervision.start_work import StartWork


class Execution:
    """`start_work` reports the start of the engine and Prefect if they are started along with the
    platform. Rooms whose definitions are run add themselves to `subjects`, and rooms whose runs
    deliver webhooks to `receivers`, keyed by the source of the runs."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        access: Access,
        changes: Changes,
        providers: Providers,
        runlog: RunLogRoom,
        clock: Clock,
        *,
        text_policy: TextPolicy,
        start_work: StartWork,
        streams: OpenStreams,
        stop: StopSignal,
    ) -> None:
        self.engine = EngineClient(settings.engine_socket)
        self.subjects: dict[str, RunSubject] = {}
        self.receivers: dict[str, ReceiverSource] = {}
        self.stored = StoredRuns(
            keys=providers.secret_keys,
            texts=text_policy,
            clock=clock,
            retry_days=settings.retry_days,
        )
        self.engine_start = engine_start = EngineStart(
            self.engine,
            wait_seconds=settings.engine_wait_seconds,
            work=start_work,
            console_url=settings.console_url,
        )
        self.feeds = RunFeeds(runlog.news)
        self.views = RunViews(
            database=database,
            reader=runlog.reader,
            news=runlog.news,
            feeds=self.feeds,
            live=LiveEvents(runlog.log),
            authenticator=access.authenticator,
            streams=streams,
        )
        self.suspended_flow_runs = SuspendedFlowRuns(database, self.engine)
        self.suspensions = Suspensions(
            database=database,
            under_way=runlog.under_way,
            stored=self.stored,
            flow_runs=self.suspended_flow_runs,
        )
        self.ends = ends = RunEnds(database, runlog.log, self.stored, self.suspensions, clock)
        self.reader = AttemptReader(
            database=database,
            runs=runlog.log,
            under_way=runlog.under_way,
            stored=self.stored,
            providers=providers.lookup,
            subjects=self.subjects,
            receivers=self.receivers,
        )
        self.attempts = attempts = RunAttempts(
            database=database,
            runs=runlog.log,
            under_way=runlog.under_way,
            stored=self.stored,
            reader=self.reader,
            engine_start=engine_start,
            ends=ends,
            feeds=self.feeds,
            suspensions=self.suspensions,
        )
        self.pooled = PooledRuns(
            database=database,
            engine=self.engine,
            engine_start=engine_start,
            runs=runlog.log,
            under_way=runlog.under_way,
            stored=self.stored,
            attempts=attempts,
            clock=clock,
        )
        self.detached = DetachedRuns(
            database=database,
            runs=runlog.log,
            under_way=runlog.under_way,
            stored=self.stored,
            attempts=attempts,
            pooled=self.pooled,
            places=settings.engine_concurrency,
            most_queued=settings.queued_runs,
        )
        self.executor = RunExecutor(
            database=database,
            runs=runlog.log,
            under_way=runlog.under_way,
            stored=self.stored,
            feeds=self.feeds,
            places=Places(
                kind="runs",
                per_caller=Limit(settings.most_runs_per_caller, "PROMPTOPS_RUNS_PER_CALLER"),
                per_workspace=Limit(
                    settings.most_runs_per_workspace, "PROMPTOPS_RUNS_PER_WORKSPACE"
                ),
            ),
            engine_start=engine_start,
            ends=ends,
            suspensions=self.suspensions,
            detached=self.detached,
        )
        self.waiting = WaitingRuns(
            runs=runlog.log,
            under_way=runlog.under_way,
            stored=self.stored,
            detached=self.detached,
            pooled=self.pooled,
        )
        may = RunAccess(reader=runlog.reader, grants=access.grants, subjects=self.subjects)
        self.cancels = RunCancels(
            database=database,
            access=may,
            reader=runlog.reader,
            under_way=runlog.under_way,
            executor=self.executor,
            detached=self.detached,
            pooled=self.pooled,
            signals=changes.signals,
        )
        self.retries = RunRetries(
            database=database,
            access=may,
            runs=runlog.log,
            reader=runlog.reader,
            stored=self.stored,
            providers=providers.lookup,
            detached=self.detached,
            pooled=self.pooled,
        )
        self.take_over = TakeOver(
            database=database,
            replicas=changes.replicas,
            runs=runlog.log,
            under_way=runlog.under_way,
            stored=self.stored,
            detached=self.detached,
            cancels=self.cancels,
        )
        self.prefect_retries = PrefectRetries(
            database=database,
            engine=self.engine,
            stored=self.stored,
            retries=self.retries,
            cancels=self.cancels,
            texts=text_policy,
        )
        self.idempotent = IdempotentRuns(
            database=database,
            grants=access.grants,
            keys=providers.secret_keys,
            texts=text_policy,
            news=runlog.news,
            streams=streams,
            stop=stop,
            clock=clock,
        )
        self.retention = RetryRetention(database, self.stored, self.idempotent)
        self.services = (self.views, self.idempotent, self.cancels, self.retries)

    @property
    def in_flight(self) -> int:
        """The number of runs that have not ended, including queued ones."""
        return len(self.executor.active) + len(self.detached.active)

    async def start(self) -> None:
        """Continue the runs that the last stop left, and take over those of dead replicas."""
        await self.detached.start()
        self.pooled.start()
        self.take_over.start()
        self.suspended_flow_runs.start()
        self.prefect_retries.start()
        self.retention.start()

    async def drain(self, seconds: float) -> None:
        """Wait at most `seconds` for runs. Longer runs are cut off if a caller waits for them, and
        otherwise left to the next start. May be called repeatedly."""
        await self.prefect_retries.stop()
        await self.take_over.stop()
        await self.suspended_flow_runs.stop()
        await self.pooled.stop()
        await self.retention.stop()
        await asyncio.gather(self.executor.drain(seconds), self.detached.drain(seconds))
