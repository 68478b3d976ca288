"""How long a run waits for an engine that is not ready."""

from collections.abc import Callable

from promptops_platform.supervision.start_work import StartWork

# Prefect takes minutes to start on a slow machine; nobody waits longer than this.
LONGEST_START_SECONDS = 120.0
# A process that uses less CPU time, in seconds, is idle.
LEAST_WORK_SECONDS = 0.1


class StartPatience:
    """`wait_seconds` from now, restarted at each progress of the start, but at most
    LONGEST_START_SECONDS in total unless `wait_seconds` is more."""

    def __init__(self, wait_seconds: float, work: StartWork, clock: Callable[[], float]) -> None:
        now = clock()
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._work = work
        self._seen = work.seconds()
        self._deadline = now + wait_seconds
        self._limit = now + max(wait_seconds, LONGEST_START_SECONDS)

    def left(self) -> float:
        """Return the seconds left, never negative."""
        now, done = self._clock(), self._work.seconds()
        if done - self._seen >= LEAST_WORK_SECONDS:
            self._seen = done
            self._deadline = min(now + self._wait_seconds, self._limit)
        return max(0.0, self._deadline - now)
