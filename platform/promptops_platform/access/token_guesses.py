"""Limits how often tokens may be guessed from one address."""

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache

from promptops_platform.access.try_counts import WINDOW
from promptops_platform.clock import Clock
from promptops_platform.listen_addresses import network

GUESSES_PER_ADDRESS = 50
MOST_ADDRESSES = 10_000
# Many pods may share an address; their static token keeps working while another program there
# guesses.
MOST_TRUSTED = 10_000

# Checked by each fetch with a static token.
_network = lru_cache(maxsize=MOST_ADDRESSES)(network)


@dataclass(slots=True)
class _Guesses:
    began: float
    # Different tokens: a program that keeps using a revoked key isn't guessing.
    tokens: set[str] = field(default_factory=set)


class TokenGuesses:
    """Counts different wrong tokens by network, in this process's memory.

    Sessions and API keys are random: guessing one is hopeless, and valid ones are always accepted.
    The static token is chosen by its owner, so while an address is locked it works only if it
    worked from that address before.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._guesses: OrderedDict[str, _Guesses] = OrderedDict()
        self._trusted: OrderedDict[str, None] = OrderedDict()

    def count(self, token_hash: str, address: str) -> int:
        """Count a wrong token; return for how many seconds the address is locked, 0 if it isn't."""
        place = _network(address)
        guesses = self._current(place)
        if guesses is None:
            guesses = self._guesses[place] = _Guesses(self._clock.monotonic())
            if len(self._guesses) > MOST_ADDRESSES:
                self._guesses.popitem(last=False)
        token = token_hash[:16]
        if token in guesses.tokens:
            return 0
        if len(guesses.tokens) >= GUESSES_PER_ADDRESS:
            return self._seconds_left(guesses)
        guesses.tokens.add(token)
        return 0

    def refused_seconds(self, address: str) -> int:
        """Return for how many seconds the static token is refused from this address; 0 means it
        works."""
        place = _network(address)
        if place in self._trusted:
            return 0
        guesses = self._current(place)
        if guesses is not None and len(guesses.tokens) >= GUESSES_PER_ADDRESS:
            return self._seconds_left(guesses)
        self._trusted[place] = None
        if len(self._trusted) > MOST_TRUSTED:
            self._trusted.popitem(last=False)
        return 0

    def _current(self, place: str) -> _Guesses | None:
        guesses = self._guesses.get(place)
        if guesses is not None and self._left(guesses) <= 0:
            del self._guesses[place]
            return None
        return guesses

    def _left(self, guesses: _Guesses) -> float:
        return guesses.began + WINDOW.total_seconds() - self._clock.monotonic()

    def _seconds_left(self, guesses: _Guesses) -> int:
        return max(1, math.ceil(self._left(guesses)))
