"""What clients that resume say of themselves."""

import asyncio
from collections import OrderedDict
from sys import intern
from typing import Any

from promptops_platform.clock import Clock
from promptops_platform.realtime.watch import NO_KEYS, Follower
from promptops_platform.text import UNPRINTABLE, composed

MOST_KEYS = 1000
LONGEST_KEY = 200
# It holds some, and does not say which.
EVERY_KEY = "*"
# Programs of one kind hold the same keys.
SETS_REMEMBERED = 256


class Reports:
    """Keeps what is reported with the connection, and wakes who waits for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: OrderedDict[frozenset[str], frozenset[str]] = OrderedDict()
        # Set, and replaced, with the next report of an applied revision.
        self.news = asyncio.Event()

    def hear(self, follower: Follower, message: dict[str, Any], newest: int) -> None:
        """Take a report; what is none, or of a kind that is not known, or of a revision that is
        not there yet, is passed over."""
        kind = message.get("type")
        if kind == "applied":
            self._applied(follower, message.get("revision"), newest)
        elif kind == "holding":
            self._holding(follower, message.get("keys"))

    def _applied(self, follower: Follower, revision: object, newest: int) -> None:
        # A replica that is late has told of less than the client came with.
        if type(revision) is not int or not 0 <= revision <= max(newest, follower.position):
            return
        follower.applied = max(revision, follower.applied or 0)
        follower.reported_at = self._clock.now()
        self.news.set()
        self.news = asyncio.Event()

    def _holding(self, follower: Follower, keys: object) -> None:
        if not isinstance(keys, list) or not all(
            isinstance(each, str) and len(each) <= LONGEST_KEY and not UNPRINTABLE.search(each)
            for each in keys
        ):
            return
        named = frozenset(map(composed, keys)) if len(keys) <= MOST_KEYS else frozenset({EVERY_KEY})
        follower.keys = self._shared(named)
        follower.reported_at = self._clock.now()

    def _shared(self, keys: frozenset[str]) -> frozenset[str]:
        """The same set for all that hold the same."""
        if not keys:
            return NO_KEYS
        known = self._known.get(keys)
        if known is None:
            known = frozenset(map(intern, keys))
            self._known[known] = known
            if len(self._known) > SETS_REMEMBERED:
                self._known.popitem(last=False)
        return known
