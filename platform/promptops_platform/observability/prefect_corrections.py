"""Changes that Prefect lacks, and corrections that were made in it."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from promptops_platform.deployments.service import Deployments

CHANGES = ("created", "corrected", "removed", "timers")


class PrefectCorrections:
    """The counts of this replica."""

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments

    async def read(self) -> Iterable[Metric]:
        """Return the current counts."""
        corrections = CounterMetricFamily(
            "promptops_prefect_corrections",
            "Deployments and timers that differed in Prefect when they were compared.",
            labels=["change"],
        )
        for change in CHANGES:
            corrections.add_metric([change], self._deployments.comparisons.corrections[change])
        waiting = GaugeMetricFamily(
            "promptops_prefect_changes_waiting",
            "Changes of schedules, triggers and timers that Prefect does not have yet.",
            value=self._deployments.waiting,
        )
        return [corrections, waiting]
