"""Model calls, counted by the processes that make them: this one and the run engine."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric

from promptops_flows.protocol.engine_client import CallsCounted, EngineClient
from promptops_flows.telemetry.call_counts import CallCounts, listed


class GatewayCalls:
    """The engine's counters restart with it, so each process has its own series."""

    def __init__(self, own: CallCounts, engine: EngineClient) -> None:
        self._own = own
        self._engine = engine

    async def read(self) -> Iterable[Metric]:
        """Return the current counts; without the engine's while it does not respond."""
        calls = CounterMetricFamily(
            "promptops_gateway_calls",
            "Calls of model providers; the outcome is ok, abandoned or an error's code.",
            labels=["process", "provider", "outcome"],
        )
        fallbacks = CounterMetricFamily(
            "promptops_gateway_fallbacks",
            "Chains that went on to their next provider, by the one that failed and its error.",
            labels=["process", "provider", "code"],
        )
        own = CallsCounted(listed(self._own.calls), listed(self._own.fallbacks))
        for process, counted in (("platform", own), ("engine", await self._engine.calls())):
            if counted is not None:
                for family, rows in ((calls, counted.calls), (fallbacks, counted.fallbacks)):
                    for provider, outcome, count in rows:
                        family.add_metric([process, provider, outcome], count)
        return [calls, fallbacks]
