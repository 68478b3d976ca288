"""Builds readiness and metrics."""

from promptops_flows.telemetry.call_counts import CallCounts
from promptops_platform.changes.composition import Changes
from promptops_platform.db.location import SqliteFile
from promptops_platform.db.unit_of_work import Database
from promptops_platform.deployments.composition import DeploymentsRoom
from promptops_platform.execution.composition import Execution
from promptops_platform.observability.counted_metrics import Metrics
from promptops_platform.observability.gateway_calls import GatewayCalls
from promptops_platform.observability.platform_readings import Readings
from promptops_platform.observability.prefect_corrections import PrefectCorrections
from promptops_platform.observability.readiness import Readiness
from promptops_platform.observability.worker_readings import WorkerReadings
from promptops_platform.realtime.composition import Realtime
from promptops_platform.serving.composition import Serving
from promptops_platform.settings import Settings
from promptops_platform.workers.composition import Workers


class Observability:
    """`metrics` are created before all rooms, which count in them; here their sources are added."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        changes: Changes,
        serving: Serving,
        execution: Execution,
        realtime: Realtime,
        deployments: DeploymentsRoom,
        workers: Workers,
        *,
        metrics: Metrics,
        calls: CallCounts,
    ) -> None:
        folders = [settings.data]
        if isinstance(settings.database_location, SqliteFile):
            folders.append(settings.database_location.path.absolute().parent)
        self.readiness = Readiness(
            database=database, feed=changes.feed, engine=execution.engine, folders=folders
        )
        self.gateway_calls = GatewayCalls(calls, execution.engine)
        readings = Readings(
            readiness=self.readiness,
            database=database,
            feed=changes.feed,
            snapshot=serving.snapshot,
            hub=realtime.hub,
            runs_in_flight=lambda: execution.in_flight,
        )
        corrections = PrefectCorrections(deployments.service)
        worker_readings = WorkerReadings(database, workers.service)
        for source in (readings, self.gateway_calls, corrections, worker_readings):
            metrics.add(source)
        self.services = (self.readiness, metrics)
