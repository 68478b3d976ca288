"""Percentiles from histograms: never more than 5 % off."""

import math

from hypothesis import given
from hypothesis import strategies as st

from promptops_platform.runlog.latency import bucket, percentiles


@given(
    st.lists(st.integers(0, 10_000_000), min_size=1), st.sampled_from([0.01, 0.5, 0.95, 0.99, 1])
)
def test_a_percentile_is_at_most_5_percent_off(latencies: list[int], share: float) -> None:
    histogram: dict[int, int] = {}
    for latency in latencies:
        histogram[bucket(latency)] = histogram.get(bucket(latency), 0) + 1
    exact = sorted(latencies)[max(0, math.ceil(share * len(latencies)) - 1)]
    (estimate,) = percentiles(histogram, [share])
    assert estimate is not None
    assert abs(estimate - exact) <= 0.05 * exact


def test_of_nothing_there_is_none() -> None:
    assert percentiles({}, [0.5, 0.9]) == [None, None]
