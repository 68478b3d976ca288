"""Logs one warning when prompts can't be fetched, and one when they can be again."""

from __future__ import annotations

import logging
import threading
import time

from promptops.errors import PromptOpsError, ServerUnreachableError

logger = logging.getLogger("promptops")

# A prompt in use fails again within this time, because pauses are shorter.
FORGOTTEN_SECONDS = 60.0


class FetchOutage:
    """Records failing prompts. An outage lasts from the first failure until no prompt fails.

    The first response ends the outage of an unreachable server. Safe between threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # When each prompt failed last.
        self._failing: dict[str, float] = {}
        self._unreachable = False

    def record_failure(self, key: str, error: PromptOpsError) -> None:
        """Record a fetch that failed after all attempts."""
        with self._lock:
            is_first = not self._failing
            self._failing[key] = time.monotonic()
            self._unreachable = isinstance(error, ServerUnreachableError)
        if is_first:
            logger.warning(
                "prompts can't be fetched, copies or defaults are used until they can: %s", error
            )

    def record_success(self, key: str) -> None:
        """Record a successful fetch."""
        # Check without the lock first, because usually nothing fails.
        if not self._failing:
            return
        with self._lock:
            if not self._failing:
                return
            oldest = time.monotonic() - FORGOTTEN_SECONDS
            still_failing = {
                other: failed_at
                for other, failed_at in self._failing.items()
                if other != key and failed_at > oldest
            }
            self._failing = {} if self._unreachable else still_failing
            is_over = not self._failing
        if is_over:
            logger.warning("prompts can be fetched again")
