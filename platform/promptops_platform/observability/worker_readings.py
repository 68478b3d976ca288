"""Workers and the runs that wait for them, from the database: each replica reports all of them."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.workers.schemas import Worker
from promptops_platform.workers.service import WorkerService

# The limit; those that were seen last are kept.
MOST_WORKERS = 200


class WorkerReadings:
    """A worker that leaves, or is no longer seen, has no series after ten minutes."""

    def __init__(self, database: Database, workers: WorkerService) -> None:
        self._database = database
        self._workers = workers

    async def read(self) -> Iterable[Metric]:
        """Return the current gauges; nothing while the database does not respond."""
        try:
            async with self._database.read() as transaction:
                workers = await self._workers.list_workers(transaction)
                waiting = await self._workers.count_waiting(transaction)
        except DatabaseUnavailable:
            return []
        latest = sorted(workers, key=lambda worker: worker.seen_at, reverse=True)
        return [*_of_workers(latest[:MOST_WORKERS]), _of_pools(waiting)]


def _of_workers(workers: list[Worker]) -> Iterable[Metric]:
    running = _family("promptops_worker_runs", "Runs that a worker executes.")
    free = _family("promptops_worker_free_places", "Further runs that a worker could take.")
    seen = _family("promptops_worker_last_seen_timestamp_seconds", "When a worker was seen last.")
    # Workers of one machine may have the same name.
    by_name: dict[tuple[str, str], list[Worker]] = {}
    for worker in workers:
        by_name.setdefault((worker.pool, worker.name), []).append(worker)
    for labels, group in by_name.items():
        online = [worker for worker in group if worker.is_online]
        places = [max(0, worker.concurrency - worker.running) for worker in online]
        running.add_metric(labels, sum(worker.running for worker in online))
        free.add_metric(labels, sum(places))
        seen.add_metric(labels, max(worker.seen_at.timestamp() for worker in group))
    return [running, free, seen]


def _of_pools(waiting: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(
        "promptops_pool_runs_waiting", "Runs that wait for a worker of a pool.", labels=["pool"]
    )
    for pool, count in waiting.items():
        family.add_metric([pool], count)
    return family


def _family(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["pool", "worker"])
