"""Measures how much a client lags behind the changes that it watches."""

from collections import deque
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from promptops_platform.changes.schemas import Change, ChangeType, NumberedChange
from promptops_platform.clock import Clock
from promptops_platform.realtime.subscription import SERVING

MOST_REMEMBERED = 1000


class Lag(NamedTuple):
    """The number of `revisions` that the client has not applied yet, and the seconds since the
    first of them was announced."""

    revisions: int
    seconds: float


class _AnnouncedChange(NamedTuple):
    revision: int
    at: datetime
    change: Change


class RecentChanges:
    """The newest announced changes of prompts. For a client that lags behind the oldest of these,
    every change counts, whatever it is about."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._remembered: deque[_AnnouncedChange] = deque()
        # Changes up to this revision are forgotten; the time is when it was announced.
        self._start, self._started_at = 0, clock.now()
        self._newest = 0

    def reset(self, revision: int) -> None:
        """Start over after the feed was reloaded: changes up to this revision are unknown."""
        self._remembered.clear()
        self._start = self._newest = revision
        self._started_at = self._clock.now()

    def add(self, changes: Sequence[NumberedChange]) -> None:
        """Record changes that are being announced."""
        now = self._clock.now()
        for revision, change in ((numbered.revision, numbered.change) for numbered in changes):
            self._newest = revision
            if change.type == ChangeType.PROMPT_DELETED or change.type in SERVING:
                self._remembered.append(_AnnouncedChange(revision, now, change))
        while len(self._remembered) > MOST_REMEMBERED:
            self._start, self._started_at, _ = self._remembered.popleft()

    def newest_by_prompt(self) -> dict[str, int]:
        """Return the revision of the newest remembered change of each prompt, by the prompt's id;
        all others are from `start` or earlier."""
        return {numbered.change.resource_id: numbered.revision for numbered in self._remembered}

    @property
    def start(self) -> int:
        """Nothing is remembered up to this revision."""
        return self._start

    def lag(
        self,
        revision: int,
        environments: Collection[str] | None,
        workspaces: Collection[str] | None,
    ) -> Lag:
        """The lag of a client that has applied this revision and sees these environments of these
        workspaces; None means all."""
        if revision < self._start:
            return Lag(self._newest - revision, self._seconds_since(self._started_at))
        waiting, first = 0, None
        # Starts with the newest change: most clients have applied all of them.
        for numbered in reversed(self._remembered):
            if numbered.revision <= revision:
                break
            if (environments is None or numbered.change.env in environments) and (
                workspaces is None or numbered.change.workspace_id in workspaces
            ):
                waiting, first = waiting + 1, numbered.at
        return Lag(waiting, 0.0 if first is None else self._seconds_since(first))

    def _seconds_since(self, then: datetime) -> float:
        return max(0.0, round((self._clock.now() - then).total_seconds(), 3))
