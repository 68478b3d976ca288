"""Builds the workers room."""

from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Database
from promptops_platform.execution.composition import Execution
from promptops_platform.runlog.composition import RunLogRoom
from promptops_platform.settings import Settings
from promptops_platform.workers.claims import RunClaims
from promptops_platform.workers.lost_workers import LostWorkers
from promptops_platform.workers.reports import WorkerReports
from promptops_platform.workers.schemas import PrefectAccess
from promptops_platform.workers.service import WorkerService


class Workers:
    """`lost` is started when the database is ready."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        runlog: RunLogRoom,
        execution: Execution,
        clock: Clock,
    ) -> None:
        self.service = WorkerService(
            clock=clock,
            lost_seconds=settings.worker_lost_seconds,
            prefect=prefect_of(settings),
        )
        claims = RunClaims(
            database=database,
            workers=self.service,
            pooled=execution.pooled,
            stored=execution.stored,
            reader=execution.reader,
            attempts=execution.attempts,
            engine_start=execution.engine_start,
            prefect_retries=execution.prefect_retries,
        )
        reports = WorkerReports(
            database=database,
            workers=self.service,
            pooled=execution.pooled,
            reader=execution.reader,
            runs=runlog.log,
            under_way=runlog.under_way,
            stored=execution.stored,
            ends=execution.ends,
            suspensions=execution.suspensions,
            feeds=execution.feeds,
        )
        self.lost = LostWorkers(
            database=database,
            workers=self.service,
            pooled=execution.pooled,
            attempts=execution.attempts,
            clock=clock,
        )
        self.services = (self.service, claims, reports)


def prefect_of(
    settings: Settings, api_url: str | None = None, auth: str | None = None
) -> PrefectAccess | None:
    """Return how workers reach Prefect: by the settings, or the embedded one at this address."""
    own = settings.prefect_api_auth_string
    url = settings.worker_prefect_url or settings.prefect_api_url or api_url
    if url is None:
        return None
    return PrefectAccess(api_url=url, auth=own.get_secret_value() if own else auth)
