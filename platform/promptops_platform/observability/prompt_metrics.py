"""Durations, tokens and costs of prompt versions, for Prometheus.

The labels are the attributes of OpenTelemetry's conventions for generative AI. A registry always
gets new versions: those that ran longest ago are dropped for others.
"""

from collections import OrderedDict

from prometheus_client import CollectorRegistry, Counter, Histogram

from promptops_platform.runlog.tables import RunRow

NANOS = 1e9
# Each has about twenty series.
MOST_VERSIONS = 200
RUN_SECONDS = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
NAMES = ("gen_ai_prompt_name", "gen_ai_prompt_version", "environment")


class PromptMetrics:
    """Counts the runs that used a prompt; belongs to one event loop."""

    def __init__(self, registry: CollectorRegistry, *, most: int = MOST_VERSIONS) -> None:
        self._most = most
        self._recent: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._runs = Histogram(
            "promptops_prompt_run_duration_seconds",
            "Time from the start of a run to its end, of runs that used this prompt.",
            (*NAMES, "status"),
            buckets=RUN_SECONDS,
            registry=registry,
        )
        self._tokens = Counter(
            "promptops_prompt_tokens",
            "Tokens of ended runs that used this prompt.",
            (*NAMES, "direction"),
            registry=registry,
        )
        self._cost = Counter(
            "promptops_prompt_cost_dollars",
            "Cost in US dollars of ended runs that used this prompt, where it is known.",
            NAMES,
            registry=registry,
        )

    def run_ended(self, run: RunRow) -> None:
        if run.prompt_key is None:
            return
        version = (run.prompt_key, run.prompt_version or "", run.prompt_env or "")
        self._take(version)
        self._runs.labels(*version, run.status).observe(run.latency_ms / 1000)
        for direction, tokens in (("prompt", run.prompt_tokens), ("output", run.output_tokens)):
            if tokens:
                self._tokens.labels(*version, direction).inc(tokens)
        if run.cost_nanos:
            self._cost.labels(*version).inc(run.cost_nanos / NANOS)

    def _take(self, version: tuple[str, str, str]) -> None:
        self._recent[version] = None
        self._recent.move_to_end(version)
        if len(self._recent) <= self._most:
            return
        oldest, _ = self._recent.popitem(last=False)
        labels = dict(zip(NAMES, oldest, strict=True))
        for metric in (self._runs, self._tokens, self._cost):
            metric.remove_by_labels(labels)
