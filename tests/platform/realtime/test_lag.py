"""How far a client is behind: only with what it watches, and for how long."""

from datetime import timedelta

from promptops_platform.changes.schemas import Change, ChangeType, NumberedChange
from promptops_platform.clock import Clock, FakeClock
from promptops_platform.realtime.lag import MOST_REMEMBERED, Lag, RecentChanges


def change(
    revision: int, env: str = "prod", workspace: str = "one", kind: str = ChangeType.PROMPT_UPDATED
) -> NumberedChange:
    return NumberedChange(revision, Change(kind, "id", workspace, "key", env, "v1"))


def recent(clock: Clock, start: int) -> RecentChanges:
    changes = RecentChanges(clock)
    changes.reset(start)
    return changes


def test_the_first_change_that_waits_counts() -> None:
    clock = FakeClock()
    changes = recent(clock, 10)
    clock.advance(timedelta(seconds=100))
    changes.add([change(11)])
    clock.advance(timedelta(seconds=2))
    changes.add([change(12), change(13)])
    clock.advance(timedelta(seconds=3))
    assert changes.lag(10, None, None) == Lag(3, 5.0)
    assert changes.lag(11, None, None) == Lag(2, 3.0)
    assert changes.lag(13, None, None) == changes.lag(14, None, None) == Lag(0, 0.0)


def test_what_is_not_watched_does_not_count() -> None:
    changes = recent(FakeClock(), 0)
    changes.add(
        [
            change(1, env="test"),
            change(2, workspace="another"),
            change(3, kind=ChangeType.PROMPT_DRAFTED),
            change(4, kind=ChangeType.KEY_SAVED),
            change(5, kind=ChangeType.PROMPT_DELETED),
        ]
    )
    assert changes.lag(0, ["prod"], ["one"]).revisions == 1
    assert changes.lag(0, ["prod"], None).revisions == 2
    assert changes.lag(0, None, ["one"]).revisions == 2
    assert changes.lag(0, [], None).revisions == changes.lag(0, None, []).revisions == 0


def test_who_is_further_behind_than_is_remembered_is_behind_by_all() -> None:
    clock = FakeClock()
    changes = recent(clock, 5)
    clock.advance(timedelta(seconds=1))
    assert changes.lag(3, ["nowhere"], None) == Lag(2, 1.0)
    changes.add([change(6 + number) for number in range(MOST_REMEMBERED + 3)])
    clock.advance(timedelta(seconds=1))
    newest = 5 + MOST_REMEMBERED + 3
    assert changes.lag(8, None, None) == Lag(MOST_REMEMBERED, 1.0)
    assert changes.lag(7, ["nowhere"], None) == Lag(newest - 7, 1.0)
