"""The signs of life: everyone's turn comes once in a period, and a tick has few of them."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from promptops_platform.realtime.heartbeat_wheel import HeartbeatWheel


@given(st.integers(1, 40), st.sets(st.integers()), st.sets(st.integers()))
def test_each_has_its_turn_once_in_a_period(ticks: int, joined: set[int], left: set[int]) -> None:
    wheel: HeartbeatWheel[int] = HeartbeatWheel(ticks)
    for item in joined:
        wheel.add(item)
    for item in left:
        wheel.remove(item)
    turns = [tuple(wheel.turn(1)) for _ in range(ticks)]
    late = tuple(wheel.turn(3 * ticks))
    assert Counter(late) == Counter(joined - left)
    assert Counter(item for turn in turns for item in turn) == Counter(joined - left)
    assert max(map(len, turns)) <= len(joined) // ticks + 1
