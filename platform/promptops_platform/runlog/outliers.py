"""Selects the runs that a chart of many shows: outliers, and a sample of the others."""

from collections.abc import Sequence
from typing import NamedTuple

from promptops_platform.runlog.search import Point

# How many runs are read, and how many are shown.
MOST_READ = 5000
MOST_SHOWN = 1500
# At most this many of these are outliers; the others show what is normal.
MOST_OUTLIERS = 1000


class Chart(NamedTuple):
    """Points newest first. `p99_ms` describes all `runs` that were read; with `is_complete` these
    are all matching runs."""

    points: list[Point]
    runs: int
    errors: int
    p99_ms: int | None
    is_complete: bool


def chart_of(points: Sequence[Point]) -> Chart:
    """Return the chart of these runs; the query asked for MOST_READ + 1."""
    is_complete = len(points) <= MOST_READ
    points = points[:MOST_READ]
    latencies = sorted(point.latency_ms for point in points)
    p99 = latencies[max(0, -(-len(latencies) * 99 // 100) - 1)] if latencies else None
    outstanding = [point for point in points if _stands_out(point, p99)][:MOST_OUTLIERS]
    shown = {point.id for point in outstanding}
    normal = [point for point in points if not _stands_out(point, p99)]
    room = MOST_SHOWN - len(outstanding)
    # Sampled by position, so that busy times look busy.
    step = max(1.0, len(normal) / room)
    shown |= {normal[int(index * step)].id for index in range(min(room, len(normal)))}
    errors = sum(point.status == "error" for point in points)
    kept = [point for point in points if point.id in shown]
    return Chart(kept, len(points), errors, p99, is_complete)


def _stands_out(point: Point, p99: int | None) -> bool:
    return point.status == "error" or (p99 is not None and point.latency_ms > p99)
