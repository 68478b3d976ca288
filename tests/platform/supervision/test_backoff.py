from __future__ import annotations

from promptops_platform.supervision import Backoff


def test_it_doubles_up_to_its_bound_and_keeps_to_the_upper_half() -> None:
    backoff = Backoff(first=1.0, longest=10.0)
    for failures, full in ((1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 10.0), (10_000, 10.0)):
        pauses = [backoff.seconds(failures) for _ in range(50)]
        assert all(full / 2 <= pause <= full for pause in pauses)
        assert len(set(pauses)) > 1
