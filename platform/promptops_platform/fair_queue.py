"""A limited number of places, with a separate line for each caller, so that a flood delays only its
own caller."""

from asyncio import Future, get_running_loop
from collections import OrderedDict, deque


class QueueFull(Exception):
    """Too many callers wait for a place."""


class FairQueue:
    """A free place goes to the lines in turn, and within a line to the first in it."""

    def __init__(
        self, places: int, *, most_waiting: int | None = None, most_per_line: int | None = None
    ) -> None:
        self._free = places
        self._most_waiting = most_waiting
        self._most_per_line = most_per_line
        self._lines: OrderedDict[str, deque[Future[None]]] = OrderedDict()
        self.waiting = 0

    async def enter(self, line: str) -> None:
        """Wait for a place, which the caller has to `leave`; raises QueueFull. If too many wait in
        total, the last one of the longest line is refused."""
        if self._free and not self._lines:
            self._free -= 1
            return
        self._make_room(line)
        place: Future[None] = get_running_loop().create_future()
        self._lines.setdefault(line, deque()).append(place)
        self.waiting += 1
        try:
            await place
        except QueueFull:
            raise
        except BaseException:
            self._give_up(line, place)
            raise

    def leave(self) -> None:
        """Pass the place to the next one in turn."""
        while self._lines:
            line = next(iter(self._lines))
            place = self._lines[line].popleft()
            self.waiting -= 1
            if self._lines[line]:
                self._lines.move_to_end(line)
            else:
                del self._lines[line]
            if not place.done():
                place.set_result(None)
                return
        self._free += 1

    def _make_room(self, line: str) -> None:
        own = len(self._lines.get(line, ()))
        if self._most_per_line is not None and own >= self._most_per_line:
            raise QueueFull
        if self._most_waiting is None or self.waiting < self._most_waiting:
            return
        longest = max(self._lines, key=lambda name: len(self._lines[name]))
        if len(self._lines[longest]) <= own + 1:
            raise QueueFull
        place = self._lines[longest].pop()
        self.waiting -= 1
        if not place.done():
            place.set_exception(QueueFull())

    def _give_up(self, line: str, place: "Future[None]") -> None:
        """Remove a waiter that was cancelled: a place that it was just given goes to the next
        one."""
        if place.done() and not place.cancelled():
            self.leave()
            return
        places = self._lines.get(line)
        if places is not None and place in places:
            places.remove(place)
            self.waiting -= 1
            if not places:
                del self._lines[line]
