"""How long a run waits for an engine that is not ready."""

from collections.abc import Callable

from promptops_platform.supervision.start_work import StartWork

# On a slow machine Prefect takes minutes, which nobody waits for longer than this.
LONGEST_START_SECONDS = 120.0
# CPU seconds below which a process only idles.
LEAST_WORK_SECONDS = 0.1


class StartPatience:
    """`wait_seconds` from now, and again from each progress of a start, but at most
    LONGEST_START_SECONDS in all unless `wait_seconds` are more."""

    def __init__(self, wait_seconds: float, work: StartWork, clock: Callable[[], float]) -> None:
        now = clock()
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._work = work
        self._seen = work.seconds()
        self._deadline = now + wait_seconds
        self._limit = now + max(wait_seconds, LONGEST_START_SECONDS)

    def left(self) -> float:
        """Seconds, not negative."""
        now, done = self._clock(), self._work.seconds()
        if done - self._seen >= LEAST_WORK_SECONDS:
            self._seen = done
            self._deadline = min(now + self._wait_seconds, self._limit)
        return max(0.0, self._deadline - now)
