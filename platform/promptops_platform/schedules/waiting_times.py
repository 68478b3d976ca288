"""Times of schedules that wait for the end of earlier runs, in the order in which they were due."""

import time
from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from promptops_platform.deployments.kinds import DueAnswer, DueRun

# A time that was not reported for this long was cancelled in Prefect.
FORGET_SECONDS = 180.0
STEP_SECONDS = 2.0
LONGEST_SECONDS = 60.0


class WaitingTimes:
    """The waiting times of this replica; after a restart they are reported again."""

    def __init__(self) -> None:
        # By schedule and flow run: the time, and when it was last reported.
        self._times: defaultdict[str, dict[str, tuple[datetime, float]]] = defaultdict(dict)

    def waits(self, due: DueRun) -> None:
        """Record that a time was postponed."""
        self._times[due.ref][due.flow_run_id] = due.scheduled_at, time.monotonic()

    def answered(self, due: DueRun, answer: DueAnswer) -> None:
        """Record that a time was decided about."""
        if answer.outcome != "later":
            self._times[due.ref].pop(due.flow_run_id, None)

    def before(self, due: DueRun) -> set[str]:
        """Return the flow runs of earlier waiting times of the same schedule."""
        oldest = time.monotonic() - FORGET_SECONDS
        own = {
            flow_run_id: entry
            for flow_run_id, entry in self._times[due.ref].items()
            if entry[1] > oldest
        }
        self._times[due.ref] = own
        return {
            flow_run_id
            for flow_run_id, (scheduled_at, _) in own.items()
            if flow_run_id != due.flow_run_id and scheduled_at < due.scheduled_at
        }

    def forget(self, ref: str, flow_run_ids: Collection[str]) -> None:
        """Forget times that another replica runs."""
        for flow_run_id in flow_run_ids:
            self._times[ref].pop(flow_run_id, None)

    def is_overtaking(self, due: DueRun) -> bool:
        """Whether an earlier time of the same schedule waits; then this one waits, too."""
        if not self.before(due):
            return False
        self.waits(due)
        return True

    def seconds(self, due: DueRun) -> float:
        """Return after how many seconds its turn may come: the more wait before it, the later it is
        asked for."""
        return min(LONGEST_SECONDS, STEP_SECONDS * (1 + len(self.before(due))))
