"""What Prefect lacks of the platform's deployments, and what was corrected in it."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from promptops_platform.deployments.service import Deployments

CHANGES = ("created", "corrected", "removed", "timers")


class PrefectCorrections:
    """Of this replica."""

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments

    async def read(self) -> Iterable[Metric]:
        """The counts of now."""
        corrections = CounterMetricFamily(
            "promptops_prefect_corrections",
            "Deployments and timers that Prefect had otherwise, when they were compared.",
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
