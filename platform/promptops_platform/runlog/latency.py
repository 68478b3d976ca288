"""Histograms of latencies: a bucket is 10 % wider than the one before it, so that a percentile
read from them is at most 5 % off, and they add up over hours, workspaces and replicas."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

GROWTH = 1.1
# Of runs that took less than a millisecond.
NO_TIME = -1


def milliseconds_between(start: datetime, end: datetime) -> int:
    """How long it took; 0 where a clock was set back."""
    return max(0, round((end - start).total_seconds() * 1000))


def bucket(milliseconds: int) -> int:
    """The bucket of a latency; bucket `n` ends with `GROWTH ** n` milliseconds."""
    if milliseconds < 1:
        return NO_TIME
    # Without the small part, a power of GROWTH might fall into the bucket above its own.
    return math.ceil(math.log(milliseconds) / math.log(GROWTH) - 1e-9)


def percentiles(histogram: Mapping[int, int], shares: Sequence[float]) -> list[float | None]:
    """For each of the shares (0 to 1, ascending) the smallest latency that at least this share of
    the runs don't exceed, in milliseconds, within 5 %; None for no runs."""
    whole = sum(histogram.values())
    latencies: list[float | None] = []
    seen = 0
    for bound in sorted(histogram):
        seen += histogram[bound]
        while len(latencies) < len(shares) and 0 < seen >= shares[len(latencies)] * whole:
            latencies.append(_middle(bound))
    return latencies + [None] * (len(shares) - len(latencies))


def _middle(number: int) -> float:
    """The latency that is as far, in relation, from one end of the bucket as from the other."""
    return 0.0 if number == NO_TIME else round(2 * GROWTH**number / (GROWTH + 1), 3)
