"""Sums of roll-up rows, by time and by group."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from promptops_platform.runlog.figures import LatencyPercentiles, RunFigures
from promptops_platform.runlog.latency import percentiles
from promptops_platform.runlog.prices import NANOS_A_DOLLAR
from promptops_platform.runlog.rollup_reading import Sums
from promptops_platform.runlog.rollups import NUMBERS
from promptops_platform.runlog.stats_schemas import StatsPoint

SHARES = (0.5, 0.95, 0.99)


def _nothing() -> list[int]:
    return [0] * len(NUMBERS)


@dataclass(slots=True)
class Totals:
    """The sums of roll-ups, in the order of NUMBERS, and their histogram."""

    numbers: list[int] = field(default_factory=_nothing)
    latencies: dict[str, int] = field(default_factory=dict)

    def add(self, other: "Totals", times: int = 1) -> None:
        """Add these totals `times` times."""
        pairs = zip(self.numbers, other.numbers, strict=True)
        self.numbers = [own + number * times for own, number in pairs]
        latencies = self.latencies
        for bound, number in other.latencies.items():
            latencies[bound] = latencies.get(bound, 0) + number * times

    def number(self, name: str) -> int:
        """Return one of NUMBERS."""
        return self.numbers[NUMBERS.index(name)]

    @property
    def mean(self) -> int:
        """The mean latency, in milliseconds."""
        runs = self.number("runs")
        return round(self.number("latency_ms") / runs) if runs else 0

    def figures(self) -> RunFigures:
        """Return the figures of a response."""
        return RunFigures(**self._values())

    def point(self, start: datetime) -> StatsPoint:
        """Return the figures of a response for the period that starts then."""
        return StatsPoint(start=start, **self._values())

    def _values(self) -> dict[str, Any]:
        number = dict(zip(NUMBERS, self.numbers, strict=True))
        histogram = {int(bound): value for bound, value in self.latencies.items() if value}
        p50, p95, p99 = percentiles(histogram, SHARES)
        return {
            "total": number["runs"],
            "ok": number["runs"] - number["errors"],
            "error": number["errors"],
            "calls": number["calls"],
            "prompt_tokens": number["prompt_tokens"],
            "cached_tokens": number["cached_tokens"],
            "output_tokens": number["output_tokens"],
            "usage_estimated": number["estimated"],
            "cost_usd": number["cost_nanos"] / NANOS_A_DOLLAR,
            "cost_unknown": number["unpriced"],
            "latency_ms": LatencyPercentiles(p50=p50, p95=p95, p99=p99),
        }


def by_time(rows: Sequence[Sums]) -> dict[datetime, Totals]:
    """Sum the rows of each hour or day."""
    totals: defaultdict[datetime, Totals] = defaultdict(Totals)
    # All histograms at once: parsing each separately takes most of the time.
    histograms = json.loads(f"[{','.join(f'[{row.latencies}]' for row in rows)}]")
    for row, parts in zip(rows, histograms, strict=True):
        total = totals[row.starts_at]
        pairs = zip(total.numbers, row[-len(NUMBERS) :], strict=True)
        total.numbers = [number + int(value) for number, value in pairs]
        if not total.latencies:
            total.latencies = parts.pop()
        latencies = total.latencies
        for histogram in parts:
            for bound, value in histogram.items():
                latencies[bound] = latencies.get(bound, 0) + value
    return totals


def added(parts: Iterable[Totals]) -> Totals:
    """Their sum."""
    total = Totals()
    for part in parts:
        total.add(part)
    return total
