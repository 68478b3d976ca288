"""When the watch asks again for what it could not get."""

from __future__ import annotations

import time

from promptops.backoff import Backoff


class Retries:
    """A pause for each prompt that failed, of its own: one of them holds up no other."""

    def __init__(self) -> None:
        self._backoffs: dict[tuple[str, bool], Backoff] = {}
        self._not_before: dict[str, float] = {}
        self._failing = False
        self._round_until = 0.0

    def not_before(self, key: str) -> float:
        """When it may be asked for, in seconds of ``time.monotonic``."""
        return self._not_before.get(key, 0.0)

    def failed(self, key: str, *, refused: bool) -> float:
        """The pause, in seconds, which grows while the prompt fails."""
        # A refused token seldom becomes right by itself.
        fresh = Backoff(30, 300, shortest=10) if refused else Backoff(0.5, 10)
        pause = self._backoffs.setdefault((key, refused), fresh).delay()
        self._not_before[key] = time.monotonic() + pause
        self._failing = True
        return pause

    def begins_round(self, pause: float) -> bool:
        """Whether a refusal is worth telling: all prompts share one token, so one of them is."""
        now = time.monotonic()
        if now < self._round_until:
            return False
        self._round_until = now + pause
        return True

    def succeeded(self, key: str) -> None:
        """The server answers: the others may have waited long enough, too."""
        self.forget(key)
        if self._failing:
            self.end_all()

    def forget(self, key: str) -> None:
        """It is not wanted any more."""
        self.end(key)
        for refused in (False, True):
            self._backoffs.pop((key, refused), None)

    def end(self, key: str) -> None:
        """There is a new reason to ask for it at once."""
        self._not_before.pop(key, None)

    def end_all(self) -> None:
        """There is a new reason to ask for all at once."""
        self._not_before.clear()
        self._failing = False
        self._round_until = 0.0
