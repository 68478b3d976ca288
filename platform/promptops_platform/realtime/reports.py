"""The reports of clients that resume."""

import asyncio
from collections import OrderedDict
from sys import intern
from typing import Any

from promptops_platform.clock import Clock
from promptops_platform.field_types import LONGEST_KEY, UNPRINTABLE, composed
from promptops_platform.realtime.watchers import NO_KEYS, ResumingWatcher

MOST_KEYS = 1000
# A client that has keys in memory but does not report which.
EVERY_KEY = "*"
# Equal sets are stored once, because programs of one kind have the same keys.
SETS_REMEMBERED = 256


class Reports:
    """Stores each report with its connection, and wakes those who wait for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._interned: OrderedDict[frozenset[str], frozenset[str]] = OrderedDict()
        # Set, and replaced, at the next report of an applied revision.
        self.news = asyncio.Event()

    def record(self, watcher: ResumingWatcher, message: dict[str, Any], newest: int) -> None:
        """Store a report. Other messages, unknown kinds, and revisions that don't exist yet are
        ignored."""
        kind = message.get("type")
        if kind == "applied":
            self._applied(watcher, message.get("revision"), newest)
        elif kind == "holding":
            self._holding(watcher, message.get("keys"))

    def _applied(self, watcher: ResumingWatcher, revision: object, newest: int) -> None:
        # A late replica has announced less than the client already had when it connected.
        if type(revision) is not int or not 0 <= revision <= max(newest, watcher.position):
            return
        watcher.applied = max(revision, watcher.applied or 0)
        watcher.reported_at = self._clock.now()
        self.news.set()
        self.news = asyncio.Event()

    def _holding(self, watcher: ResumingWatcher, keys: object) -> None:
        if not isinstance(keys, list) or not all(
            isinstance(key, str) and len(key) <= LONGEST_KEY and not UNPRINTABLE.search(key)
            for key in keys
        ):
            return
        reported = (
            frozenset(map(composed, keys)) if len(keys) <= MOST_KEYS else frozenset({EVERY_KEY})
        )
        watcher.keys = self._shared(reported)
        watcher.reported_at = self._clock.now()

    def _shared(self, keys: frozenset[str]) -> frozenset[str]:
        """Return one shared set for equal sets."""
        if not keys:
            return NO_KEYS
        shared = self._interned.get(keys)
        if shared is None:
            shared = frozenset(map(intern, keys))
            self._interned[shared] = shared
            if len(self._interned) > SETS_REMEMBERED:
                self._interned.popitem(last=False)
        return shared
