"""Percentiles from histograms: never more than 5 % off."""

import math

from hypothesis import given
from hypothesis import strategies as st

from promptops_platform.runs.latency import bucket, percentile


@given(
    st.lists(st.integers(0, 10_000_000), min_size=1), st.sampled_from([0.01, 0.5, 0.95, 0.99, 1])
)
def test_a_percentile_is_at_most_5_percent_off(latencies: list[int], share: float) -> None:
    histogram: dict[int, int] = {}
    for each in latencies:
        histogram[bucket(each)] = histogram.get(bucket(each), 0) + 1
    exact = sorted(latencies)[max(0, math.ceil(share * len(latencies)) - 1)]
    found = percentile(histogram, share)
    assert found is not None
    assert abs(found - exact) <= 0.05 * exact


def test_of_nothing_there_is_none() -> None:
    assert percentile({}, 0.5) is None
