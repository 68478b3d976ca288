"""How far a client is behind with what it watches."""

from collections import deque
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from promptops_platform.changes.schemas import Change, ChangeType, NumberedChange
from promptops_platform.clock import Clock
from promptops_platform.realtime.view import SERVING

MOST_REMEMBERED = 1000


class Lag(NamedTuple):
    """`revisions` that are not applied yet, and the seconds since the first of them was told."""

    revisions: int
    seconds: float


class _Told(NamedTuple):
    revision: int
    at: datetime
    change: Change


class RecentChanges:
    """The newest changes of prompts that were told. Who is behind further than they reach is
    behind by all changes there were, of whatever it is."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: deque[_Told] = deque()
        # What came up to there is not known any more, and when that was told.
        self._start, self._started_at = 0, clock.now()
        self._newest = 0

    def reset(self, revision: int) -> None:
        """The feed was read anew; nothing is known of what came before this revision."""
        self._told.clear()
        self._start = self._newest = revision
        self._started_at = self._clock.now()

    def add(self, changes: Sequence[NumberedChange]) -> None:
        """These are told now."""
        now = self._clock.now()
        for revision, change in ((each.revision, each.change) for each in changes):
            self._newest = revision
            if change.type == ChangeType.PROMPT_DELETED or change.type in SERVING:
                self._told.append(_Told(revision, now, change))
        while len(self._told) > MOST_REMEMBERED:
            self._start, self._started_at, _ = self._told.popleft()

    def lag(
        self,
        revision: int,
        environments: Collection[str] | None,
        workspaces: Collection[str] | None,
    ) -> Lag:
        """Of a client that has applied this revision and sees these environments of these
        workspaces, None meaning all."""
        if revision < self._start:
            return Lag(self._newest - revision, self._seconds_since(self._started_at))
        waiting, first = 0, None
        # From the newest on: most have applied all of them.
        for each in reversed(self._told):
            if each.revision <= revision:
                break
            if (environments is None or each.change.env in environments) and (
                workspaces is None or each.change.workspace_id in workspaces
            ):
                waiting, first = waiting + 1, each.at
        return Lag(waiting, 0.0 if first is None else self._seconds_since(first))

    def _seconds_since(self, then: datetime) -> float:
        return max(0.0, round((self._clock.now() - then).total_seconds(), 3))
