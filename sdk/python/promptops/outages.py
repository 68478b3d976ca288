"""One warning when prompts can't be fetched, and one when they can again."""

from __future__ import annotations

import logging
import threading
import time

from promptops.errors import PromptOpsError, ServerUnreachableError

logger = logging.getLogger("promptops")

# A prompt that is asked for fails again within this time, since pauses are shorter.
FORGOTTEN_SECONDS = 60.0


class Outages:
    """Notes which prompts fail. An outage lasts from the first failure until none fails any more.

    A server that could not be reached is back with its first answer. Safe between threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # When each prompt failed last.
        self._failing: dict[str, float] = {}
        self._unreachable = False

    def failed(self, key: str, error: PromptOpsError) -> None:
        """A fetch has failed for good."""
        with self._lock:
            is_first = not self._failing
            self._failing[key] = time.monotonic()
            self._unreachable = isinstance(error, ServerUnreachableError)
        if is_first:
            logger.warning(
                "prompts can't be fetched, copies or defaults are used until they can: %s", error
            )

    def succeeded(self, key: str) -> None:
        """A fetch has worked."""
        # Looked at without the lock: mostly there is nothing to do.
        if not self._failing:
            return
        with self._lock:
            if not self._failing:
                return
            oldest = time.monotonic() - FORGOTTEN_SECONDS
            still = {of: at for of, at in self._failing.items() if of != key and at > oldest}
            self._failing = {} if self._unreachable else still
            is_over = not self._failing
        if is_over:
            logger.warning("prompts can be fetched again")
