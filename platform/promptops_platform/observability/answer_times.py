"""Response times. Fetches come thousands of times a second: prometheus_client's histogram and
counter, with their locks, would make each of them five percent slower."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import Scope

from promptops_platform.serving.fetch import PATH as FETCH_PATH

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
FETCHING = frozenset({"GET", "HEAD"})
FETCH_ROUTE = f"{FETCH_PATH}{{key}}"
NO_ROUTE = "none"
OTHER = "other"
OUTCOMES = {
    200: "served",
    304: "unchanged",
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
}
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
EDGES = [*map(str, BOUNDS), "+Inf"]
# Route, method and status; None if nobody waited for the response.
Kind = tuple[str, str, int | None]


class Tally:
    """`counts` per bucket, not cumulated yet as Prometheus expects."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * len(EDGES)
        self.seconds = 0.0

    def add(self, other: "Tally") -> None:
        """Add another tally."""
        self.counts = [
            mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)
        ]
        self.seconds += other.seconds


class AnswerTimes(Collector):
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._tallies: defaultdict[Kind, Tally] = defaultdict(Tally)

    def answered(self, scope: Scope, status: int | None, seconds: float) -> None:
        """Count a request."""
        method = scope["method"]
        route = scope.get("route")
        if route is not None:
            path = route.path_format
        elif method in FETCHING and scope["path"].startswith(FETCH_PATH):
            path = FETCH_ROUTE
        else:
            path = NO_ROUTE
        tally = self._tallies[path, method if method in METHODS else OTHER, status]
        tally.counts[bisect_left(BOUNDS, seconds)] += 1
        tally.seconds += seconds

    def collect(self) -> Iterator[Metric]:
        """Return requests by classes of statuses, and fetches by what their statuses mean."""
        by_class: defaultdict[tuple[str, str, str], Tally] = defaultdict(Tally)
        by_outcome: defaultdict[str, int] = defaultdict(int)
        for (path, method, status), tally in self._tallies.items():
            by_class[path, method, f"{status // 100}xx" if status else NO_ROUTE].add(tally)
            if path == FETCH_ROUTE:
                by_outcome[OUTCOMES.get(status or 0, OTHER)] += sum(tally.counts)
        requests = HistogramMetricFamily(
            "promptops_http_request_duration_seconds",
            "Time from a request to the end of its response.",
            labels=["route", "method", "status"],
        )
        for labels, tally in by_class.items():
            requests.add_metric(labels, _cumulated(tally), tally.seconds)
        fetches = CounterMetricFamily(
            "promptops_fetches", "Prompts that programs fetched.", labels=["outcome"]
        )
        for outcome, count in by_outcome.items():
            fetches.add_metric([outcome], count)
        yield from (requests, fetches)


def _cumulated(tally: Tally) -> list[tuple[str, float]]:
    total, buckets = 0, []
    for edge, count in zip(EDGES, tally.counts, strict=True):
        total += count
        buckets.append((edge, float(total)))
    return buckets
