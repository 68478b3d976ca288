"""What is kept of a run for those who follow it."""

import pytest

from promptops_flows.protocol.engine_client import StepDelta, StepFinished, StepStarted
from promptops_platform.changes.signals import Signals
from promptops_platform.execution import run_feed
from promptops_platform.execution.followers import RunFollower
from promptops_platform.execution.run_feed import (
    MOST_CHARACTERS,
    TEXT_CHARACTERS,
    FeedEvent,
    FeedPosition,
    RunFeed,
    RunFeeds,
)
from promptops_platform.http.stop_signal import StopSignal
from promptops_platform.runlog.events import RunEvents
from promptops_platform.runlog.news import RunNews

AT = "2030-01-01T00:00:00+00:00"


def started(index: int) -> StepStarted:
    return StepStarted(index, f"s{index}", "model", AT)


def finished(index: int, output: str = "") -> StepFinished:
    return StepFinished(index, f"s{index}", "model", "Completed", AT, 1, 1, output=output)


def after(feed: RunFeed, position: FeedPosition) -> list[FeedEvent]:
    return [event for event, _ in feed.after(position)]


def test_who_comes_late_gets_joined_pieces() -> None:
    feed = RunFeed()
    for event in (started(1), StepDelta(1, "a"), StepDelta(1, "b"), StepDelta(2, "c")):
        feed.add(event)
    assert after(feed, feed.start) == [started(1), StepDelta(1, "ab"), StepDelta(2, "c")]
    assert after(feed, feed.end) == []


def test_the_text_of_another_attempt_is_told_apart() -> None:
    feed = RunFeed()
    for event in (started(1), StepDelta(1, "half"), StepDelta(1, "who", 2), StepDelta(1, "le", 2)):
        feed.add(event)
    assert after(feed, feed.start) == [started(1), StepDelta(1, "half"), StepDelta(1, "whole", 2)]


def test_reading_goes_on_in_the_middle_of_a_text() -> None:
    feed = RunFeed()
    feed.add(StepDelta(1, "one "))
    ((_, position),) = feed.after(feed.start)
    feed.add(StepDelta(1, "two"))
    feed.add(finished(1))
    assert after(feed, position) == [StepDelta(1, "two"), finished(1)]
    assert after(feed, FeedPosition(0, 2)) == [StepDelta(1, "e two"), finished(1)]
    assert feed.position_after(feed.event_id(position)) == position


def test_every_position_of_a_long_text_leads_to_its_rest() -> None:
    feed, text = RunFeed(), "".join(f"{number} " for number in range(2000))
    assert len(text) > 3 * TEXT_CHARACTERS
    for character in text:
        feed.add(StepDelta(1, character))
    read = ""
    for event, position in feed.after(feed.start):
        assert isinstance(event, StepDelta)
        read += event.text
        rest = "".join(
            piece.text for piece in after(feed, position) if isinstance(piece, StepDelta)
        )
        assert read + rest == text


@pytest.mark.parametrize("event_id", ["", "end", "x-1.0", "-1.0", "abc-1.0", "abc-1", "1.0"])
def test_an_event_of_another_feed_is_none(event_id: str) -> None:
    feed = RunFeed()
    feed.add(started(1))
    assert feed.position_after(event_id) is None
    assert feed.position_after(feed.event_id(FeedPosition(2))) is None
    assert feed.position_after(feed.event_id(FeedPosition(1, 5))) is None


def test_what_is_kept_is_bounded_and_what_is_left_out_is_said() -> None:
    feed = RunFeed()
    feed.add(started(1))
    first = feed.end
    for _ in range(6):
        feed.add(StepDelta(1, "x" * (MOST_CHARACTERS // 4)))
    assert feed.characters <= MOST_CHARACTERS
    assert not feed.has(first)
    assert feed.position_after(feed.event_id(first)) is None
    assert (feed.is_whole, feed.cut_steps) == (False, {1})
    feed.add(finished(1, "y" * (MOST_CHARACTERS + 1)))
    # The newest event is kept, however large it is.
    assert [type(event) for event in after(feed, feed.start)] == [StepFinished]
    assert feed.cut_steps == set()


def test_a_number_of_events_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_feed, "MOST_ENTRIES", 3)
    feed = RunFeed()
    for index in range(5):
        feed.add(started(index))
    assert after(feed, feed.start) == [started(2), started(3), started(4)]


class _Nobody(Signals):
    def __init__(self) -> None:
        self._listeners = []


def new_feeds() -> RunFeeds:
    return RunFeeds(RunNews(RunEvents(), _Nobody(), StopSignal()))


async def test_a_feed_is_kept_for_a_while_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_feed, "MOST_KEPT", 2)
    feeds = new_feeds()
    for run_id in ("a", "b", "c"):
        with feeds.following(run_id, RunFollower()) as follower:
            follower.happened(started(1))
            assert feeds.find(run_id) is not None
    assert [feeds.find(run_id) is not None for run_id in "abc"] == [False, True, True]
    monkeypatch.setattr(run_feed, "KEPT_SECONDS", 0.0)
    for run_id in ("d", "e"):
        with feeds.following(run_id, RunFollower()):
            pass
    assert [feeds.find(run_id) is not None for run_id in "abc"] == [False] * 3
    assert feeds.find("e") is None


async def test_another_attempt_continues_the_feed() -> None:
    feeds = new_feeds()
    for attempt in (1, 2):
        with feeds.following("a", RunFollower()) as follower:
            follower.happened(started(attempt))
    feed = feeds.find("a")
    assert feed is not None
    assert after(feed, feed.start) == [started(1), started(2)]
