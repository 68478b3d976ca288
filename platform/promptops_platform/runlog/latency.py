"""Histograms of latencies. Each bucket is 10 % wider than the previous one, so that percentiles are
within 5 %, and histograms of hours, workspaces and replicas can be added."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

GROWTH = 1.1
# The bucket of runs that took less than a millisecond.
NO_TIME = -1


def milliseconds_between(start: datetime, end: datetime) -> int:
    """Return the duration; 0 if a clock was set back."""
    return max(0, round((end - start).total_seconds() * 1000))


def bucket(milliseconds: int) -> int:
    """Return the bucket of a latency; bucket `n` ends at `GROWTH ** n` milliseconds."""
    if milliseconds < 1:
        return NO_TIME
    # Without the small constant, a power of GROWTH might fall into the bucket above its own.
    return math.ceil(math.log(milliseconds) / math.log(GROWTH) - 1e-9)


def percentiles(histogram: Mapping[int, int], shares: Sequence[float]) -> list[float | None]:
    """For each of the shares (0 to 1, ascending) return the smallest latency that at least this
    share of the runs doesn't exceed, in milliseconds, within 5 %; None without runs."""
    whole = sum(histogram.values())
    latencies: list[float | None] = []
    seen = 0
    for bound in sorted(histogram):
        seen += histogram[bound]
        while len(latencies) < len(shares) and 0 < seen >= shares[len(latencies)] * whole:
            latencies.append(_middle(bound))
    return latencies + [None] * (len(shares) - len(latencies))


def _middle(number: int) -> float:
    """Return the geometric middle of a bucket."""
    return 0.0 if number == NO_TIME else round(2 * GROWTH**number / (GROWTH + 1), 3)
