"""The events of this process's runs, kept for clients that follow late, again, or slowly."""

import asyncio
import re
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from promptops_flows.protocol.engine_client import RunEvent, StepDelta, StepFinished, StepStarted
from promptops_platform.execution.followers import ForwardingFollower, RunFollower
from promptops_platform.ids import new_id
from promptops_platform.runlog.news import RunNews

# Per run. Older events are dropped, and clients are notified of the gap.
MOST_CHARACTERS = 1_048_576
MOST_ENTRIES = 10_000
# Pieces of a step's text are joined into entries of about this size.
TEXT_CHARACTERS = 2_000
# How long a feed is kept after the end of its run, and the total size of all such feeds.
KEPT_SECONDS = 60.0
MOST_KEPT = 200
MOST_KEPT_CHARACTERS = 16 * MOST_CHARACTERS

EVENT_ID = re.compile(r"([0-9a-f]{1,40})-(\d{1,15})\.(\d{1,15})", re.ASCII)

FeedEvent = StepStarted | StepDelta | StepFinished


class FeedPosition(NamedTuple):
    """A position in a feed: the number of the next entry, and how many of its characters were
    read."""

    number: int
    characters: int = 0


@dataclass(slots=True)
class _Entry:
    event: StepStarted | StepFinished | None
    step: int
    characters: int = 0
    parts: list[str] = field(default_factory=list)
    attempt: int = 1

    def text_from(self, start: int) -> str:
        if len(self.parts) > 1:
            self.parts = ["".join(self.parts)]
        return self.parts[0][start:]


class RunFeed:
    """Events of a run, each with the position after it."""

    def __init__(self) -> None:
        # Whether this process executes the run.
        self.is_live = True
        self._id = new_id()
        self.characters = 0
        self._entries: deque[_Entry] = deque()
        self._first = 0
        self._under_way: set[int] = set()
        # The steps whose text has lost its beginning.
        self.cut_steps: set[int] = set()

    @property
    def is_whole(self) -> bool:
        """Whether nothing has been dropped so far."""
        return self._first == 0

    @property
    def start(self) -> FeedPosition:
        """The position before the oldest event."""
        return FeedPosition(self._first)

    @property
    def end(self) -> FeedPosition:
        """The position after the newest event."""
        last = self._entries[-1] if self._entries else None
        number = self._first + len(self._entries)
        if last is not None and last.event is None:
            return FeedPosition(number - 1, last.characters)
        return FeedPosition(number)

    def has(self, position: FeedPosition) -> bool:
        """Whether everything after the position is available."""
        return self.start <= position <= self.end

    def event_id(self, position: FeedPosition) -> str:
        """Return the id of the event before a position."""
        return f"{self._id}-{position.number}.{position.characters}"

    def position_after(self, event_id: str) -> FeedPosition | None:
        """Return the position after an event; None if it isn't an event of this feed, or is too
        old."""
        match = EVENT_ID.fullmatch(event_id)
        if match is None or match[1] != self._id:
            return None
        position = FeedPosition(int(match[2]), int(match[3]))
        return position if self.has(position) else None

    def finished_before(self, position: FeedPosition) -> set[int]:
        """Return the steps whose ends come before a position."""
        events = self.after(self.start)
        return {
            event.index
            for event, after in events
            if isinstance(event, StepFinished) and after <= position
        }

    def add(self, event: FeedEvent) -> None:
        """Something happened."""
        if isinstance(event, StepDelta):
            self._add_text(event)
        else:
            texts = (
                (event.input, event.output) if isinstance(event, StepFinished) else (event.input,)
            )
            size = sum(len(text) for text in texts if text)
            self._entries.append(_Entry(event, event.index, size))
            self.characters += size
            if isinstance(event, StepFinished):
                self._under_way.discard(event.index)
                self.cut_steps.discard(event.index)
        while len(self._entries) > 1 and (
            self.characters > MOST_CHARACTERS or len(self._entries) > MOST_ENTRIES
        ):
            self._drop_oldest()

    def after(self, position: FeedPosition) -> Iterator[tuple[FeedEvent, FeedPosition]]:
        """Yield what follows a position that the feed has."""
        number, read = position
        for entry in [*self._entries][number - self._first :]:
            if entry.event is not None:
                number += 1
                yield entry.event, FeedPosition(number)
            else:
                if entry.characters > read:
                    text = entry.text_from(read)
                    piece = StepDelta(entry.step, text, entry.attempt)
                    yield piece, FeedPosition(number, read + len(text))
                number += 1
            read = 0

    def _add_text(self, piece: StepDelta) -> None:
        last = self._entries[-1] if self._entries else None
        if (
            last is None
            or last.event is not None
            or (last.step, last.attempt) != (piece.index, piece.attempt)
            or last.characters >= TEXT_CHARACTERS
        ):
            last = _Entry(None, piece.index, attempt=piece.attempt)
            self._entries.append(last)
        self._under_way.add(piece.index)
        last.parts.append(piece.text)
        last.characters += len(piece.text)
        self.characters += len(piece.text)

    def _drop_oldest(self) -> None:
        entry = self._entries.popleft()
        self._first += 1
        self.characters -= entry.characters
        if entry.event is None and entry.step in self._under_way:
            self.cut_steps.add(entry.step)


class RunFeeds:
    """The feeds of this process: of the runs that it executes, and for a while of ended ones."""

    def __init__(self, news: RunNews) -> None:
        self._news = news
        self._feeds: dict[str, RunFeed] = {}
        # The feeds of ended runs, and when they are dropped.
        self._ended: OrderedDict[str, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def find(self, run_id: str) -> RunFeed | None:
        """Return the feed of a run; None if this process doesn't execute it, or ended it long
        ago."""
        return self._feeds.get(run_id)

    @contextmanager
    def following(self, run_id: str, follower: RunFollower) -> Iterator[RunFollower]:
        """Return a follower that wraps another one and keeps the events until the block ends. A
        later attempt at the same run continues its feed."""
        self._ended.pop(run_id, None)
        feed = self._feeds.setdefault(run_id, RunFeed())
        feed.is_live = True
        try:
            yield _FeedFollower(follower, feed, lambda: self._news.wake(run_id, log_changed=False))
        finally:
            feed.is_live = False
            self._ended[run_id] = asyncio.get_running_loop().time() + KEPT_SECONDS
            self._drop_ended()

    def _drop_ended(self) -> None:
        loop = asyncio.get_running_loop()
        now, kept = loop.time(), sum(self._feeds[run_id].characters for run_id in self._ended)
        while self._ended:
            run_id, deadline = next(iter(self._ended.items()))
            if deadline > now and len(self._ended) <= MOST_KEPT and kept <= MOST_KEPT_CHARACTERS:
                break
            del self._ended[run_id]
            kept -= self._feeds.pop(run_id).characters
        if self._ended and self._timer is None:
            deadline = next(iter(self._ended.values()))
            self._timer = loop.call_at(deadline, self._drop_due)

    def _drop_due(self) -> None:
        self._timer = None
        self._drop_ended()


class _FeedFollower(ForwardingFollower):
    def __init__(self, follower: RunFollower, feed: RunFeed, wake: Callable[[], None]) -> None:
        super().__init__(follower)
        self._feed = feed
        self._wake = wake

    def happened(self, event: RunEvent) -> None:
        if isinstance(event, StepStarted | StepDelta | StepFinished):
            self._feed.add(event)
            self._wake()
        super().happened(event)
