"""Gauges that are read from the rooms whenever the metrics are requested."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from promptops_platform.changes.feed import Feed
from promptops_platform.db.unit_of_work import Database
from promptops_platform.observability.readiness import Readiness
from promptops_platform.realtime.hub import Hub
from promptops_platform.serving.snapshot import Snapshot


class Readings:
    """The gauges of one platform."""

    def __init__(
        self,
        *,
        readiness: Readiness,
        database: Database,
        feed: Feed,
        snapshot: Snapshot,
        hub: Hub,
        runs_in_flight: Callable[[], int],
    ) -> None:
        self._readiness = readiness
        self._database = database
        self._feed = feed
        self._snapshot = snapshot
        self._hub = hub
        self._runs_in_flight = runs_in_flight

    async def read(self) -> Iterable[Metric]:
        """Return the current values."""
        return [
            await self._parts(),
            *self._feed_metrics(),
            *self._database_metrics(),
            _gauge("promptops_watchers", "Connections that watch for changes.", self._hub.watchers),
            _gauge(
                "promptops_snapshot_prompts",
                "Prompts, by environment, that are ready to be fetched.",
                len(self._snapshot),
            ),
            _gauge(
                "promptops_runs_in_flight",
                "Runs that have not ended, those that wait for the engine included.",
                self._runs_in_flight(),
            ),
        ]

    async def _parts(self) -> Metric:
        up = GaugeMetricFamily(
            "promptops_up", "1 while this part is ready, like in /ready.", labels=["part"]
        )
        for name, part in (await self._readiness.parts()).model_dump().items():
            up.add_metric([name], float(part["ok"]))
        return up

    def _feed_metrics(self) -> Iterator[Metric]:
        feed = self._feed
        yield _gauge(
            "promptops_feed_revision", "The last change that was applied here.", feed.applied
        )
        yield _gauge(
            "promptops_feed_lag_changes",
            "Changes that are known and not yet applied here.",
            max(0, feed.seen - feed.applied),
        )
        yield _gauge(
            "promptops_feed_lag_seconds",
            "Time since all changes had last been applied here.",
            feed.seconds_behind,
        )

    def _database_metrics(self) -> Iterator[Metric]:
        connections = GaugeMetricFamily(
            "promptops_database_connections",
            "Connections to the registry database.",
            labels=["pool", "state"],
        )
        for name, pool in self._pools():
            connections.add_metric([name, "used"], pool.checkedout())
            connections.add_metric([name, "idle"], pool.checkedin())
        yield connections
        yield CounterMetricFamily(
            "promptops_database_unavailable",
            "Transactions that the database refused.",
            value=self._database.unavailable,
        )

    def _pools(self) -> Iterator[tuple[str, QueuePool]]:
        engines = self._database.engines
        engines_by_name: dict[str, AsyncEngine] = (
            {"writer": engines.writer, "reader": engines.reader}
            if engines.is_sqlite
            else {"all": engines.writer}
        )
        for name, engine in engines_by_name.items():
            assert isinstance(engine.pool, QueuePool)
            yield name, engine.pool


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
