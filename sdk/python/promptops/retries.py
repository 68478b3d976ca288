"""Pauses of the watch between refetches."""

from __future__ import annotations

import time

from promptops.backoff import Backoff


class Retries:
    """Pauses of failed prompts; each prompt has its own, which delays no other."""

    def __init__(self) -> None:
        self._backoffs: dict[tuple[str, bool], Backoff] = {}
        self._not_before: dict[str, float] = {}
        self._failing = False
        self._round_until = 0.0

    def not_before(self, key: str) -> float:
        """Return when the key may be refetched, in seconds of ``time.monotonic``."""
        return self._not_before.get(key, 0.0)

    def failed(self, key: str, *, refused: bool) -> float:
        """Record a failure; returns the pause in seconds, which grows while the prompt fails."""
        fresh = Backoff.for_refusals() if refused else Backoff.for_failures()
        pause = self._backoffs.setdefault((key, refused), fresh).delay()
        self._not_before[key] = time.monotonic() + pause
        self._failing = True
        return pause

    def begins_round(self, pause: float) -> bool:
        """Whether to notify of this refusal: all prompts share one token, so once a round is
        enough."""
        now = time.monotonic()
        if now < self._round_until:
            return False
        self._round_until = now + pause
        return True

    def succeeded(self, key: str) -> None:
        """Record a success, which ends the pauses of the other keys, too."""
        self.forget(key)
        if self._failing:
            self.end_all()

    def forget(self, key: str) -> None:
        """Forget the failures of a key."""
        self.end(key)
        for refused in (False, True):
            self._backoffs.pop((key, refused), None)

    def end(self, key: str) -> None:
        """End the pause of a key."""
        self._not_before.pop(key, None)

    def end_all(self) -> None:
        """End all pauses."""
        self._not_before.clear()
        self._failing = False
        self._round_until = 0.0
