"""Decides whose heartbeat is due, without a timer for each connection."""

from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class HeartbeatWheel(Generic[T]):
    """Spreads its members over the ticks of a period, so that no tick has them all."""

    def __init__(self, ticks: int) -> None:
        self._slots: list[set[T]] = [set() for _ in range(ticks)]
        self._places: dict[T, int] = {}
        self._next_place = self._now = 0

    def add(self, member: T) -> None:
        """Add a member; from now on its turn comes once in each period."""
        self._places[member] = self._next_place
        self._slots[self._next_place].add(member)
        self._next_place = (self._next_place + 1) % len(self._slots)

    def remove(self, member: T) -> None:
        place = self._places.pop(member, None)
        if place is not None:
            self._slots[place].discard(member)

    def turn(self, ticks: int) -> Iterable[T]:
        """The members whose turn came with these ticks, each once."""
        members: list[T] = []
        for _ in range(min(ticks, len(self._slots))):
            self._now = (self._now + 1) % len(self._slots)
            members += self._slots[self._now]
        return members
