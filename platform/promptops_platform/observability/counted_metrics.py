"""The platform's counters, for Prometheus.

Each platform has its own registry. No label contains an API key, a user or an id, and each has a
bounded number of values: routes are templates, statuses are classes, models and providers are named
up to a limit, and so are the versions of prompts that ran last.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from promptops_platform.observability.answer_times import NO_ROUTE, OTHER, AnswerTimes
from promptops_platform.observability.prompt_metrics import PromptMetrics
from promptops_platform.runlog.tables import RunRow

NANOS = 1e9
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# Callers choose these names, so only this many of each kind get their own label.
MOST_NAMES = 100
LONGEST_NAME = 100
RUN_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)


class Source(Protocol):
    """A source that is read, rather than counted, when the metrics are requested."""

    async def read(self) -> Iterable[Metric]:
        """Return the current values."""


class Names:
    """Gives the first names their own labels, up to a limit; later ones become `other`."""

    def __init__(self, most: int = MOST_NAMES) -> None:
        self._most = most
        self._labels: set[str] = set()

    def bounded(self, name: str) -> str:
        """Return the label for a name; `none` for an empty one."""
        short = name[:LONGEST_NAME] or NO_ROUTE
        if short not in self._labels and len(self._labels) >= self._most:
            return OTHER
        self._labels.add(short)
        return short


class _Read(Collector):
    """Metrics that were just read."""

    def __init__(self) -> None:
        self.metrics: list[Metric] = []

    def collect(self) -> Iterator[Metric]:
        yield from self.metrics

    def describe(self) -> Iterator[Metric]:
        """Return nothing; otherwise the registry would read the sources when they are added."""
        yield from ()


class _WithoutBirths(Collector):
    """A registry without the creation times of the series, which nobody reads and which would be a
    third of the output."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not _is_birth(sample.name)]
            yield metric


def _is_birth(name: str) -> bool:
    return name.endswith("_created")


class Metrics:
    """Counts; belongs to one event loop."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.answers = AnswerTimes()
        registry.register(self.answers)
        self._events = Counter(
            "promptops_events_sent", "Changes that were sent to watchers.", registry=registry
        )
        of_run = ("source", "status", "provider", "model")
        self._runs = Histogram(
            "promptops_run_duration_seconds",
            "Time from the start of a run to its end.",
            of_run,
            buckets=RUN_SECONDS,
            registry=registry,
        )
        self._tokens = Counter(
            "promptops_run_tokens",
            "Tokens of ended runs.",
            ("source", "provider", "model", "direction"),
            registry=registry,
        )
        self._cost = Counter(
            "promptops_run_cost_dollars",
            "Cost of ended runs whose models have a price, in US dollars.",
            ("source", "provider", "model"),
            registry=registry,
        )
        self._prompts = PromptMetrics(registry)
        self._read = _Read()
        registry.register(self._read)
        self._sources: list[Source] = []
        self._names = {kind: Names() for kind in ("source", "provider", "model")}

    def add(self, source: Source) -> None:
        """Read `source` whenever the metrics are requested, from now on."""
        self._sources.append(source)

    def sent(self, events: int) -> None:
        """Count events that were sent to watchers."""
        self._events.inc(events)

    def run_ended(self, run: RunRow) -> None:
        """Count a run, in the form of the run log."""
        source = self._names["source"].bounded(run.source)
        provider = self._names["provider"].bounded(run.provider)
        model = self._names["model"].bounded(run.model)
        self._runs.labels(source, run.status, provider, model).observe(run.latency_ms / 1000)
        for direction, tokens in (("prompt", run.prompt_tokens), ("output", run.output_tokens)):
            if tokens:
                self._tokens.labels(source, provider, model, direction).inc(tokens)
        if run.cost_nanos:
            self._cost.labels(source, provider, model).inc(run.cost_nanos / NANOS)
        self._prompts.run_ended(run)

    async def exposition(self) -> bytes:
        """Return all metrics in the text format."""
        read = [list(await source.read()) for source in self._sources]
        # Without an await from here on, so that concurrent readers don't mix their values.
        self._read.metrics = [metric for metrics in read for metric in metrics]
        return generate_latest(_WithoutBirths(self._registry))
