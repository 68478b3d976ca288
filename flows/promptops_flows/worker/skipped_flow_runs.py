"""Flow runs that a worker can't claim are skipped for a while: other workers have them, or the
platform doesn't know them."""

from __future__ import annotations

_FIRST_SECONDS = 0.5
_LONGEST_SECONDS = 30.0
# A flow run that wasn't added for this long counts as new.
_KEPT_SECONDS = 60.0


class SkippedFlowRuns:
    """Each failed attempt doubles the time that a flow run is skipped; times are the loop's."""

    def __init__(self) -> None:
        # The end and the length of each pause.
        self._pauses: dict[str, tuple[float, float]] = {}

    def add(self, flow_run_id: str, now: float) -> None:
        """Skip a flow run that could not be claimed now."""
        _, seconds = self._pauses.get(flow_run_id, (0.0, _FIRST_SECONDS / 2))
        seconds = min(2 * seconds, _LONGEST_SECONDS)
        self._pauses[flow_run_id] = now + seconds, seconds

    def has(self, flow_run_id: str, now: float) -> bool:
        """Whether the flow run is skipped."""
        until, _ = self._pauses.get(flow_run_id, (now, 0.0))
        return until > now

    def forget(self, flow_run_id: str) -> None:
        """Stop skipping the flow run."""
        self._pauses.pop(flow_run_id, None)

    def count(self, now: float) -> int:
        """The number of flow runs that are skipped now."""
        self._pauses = {
            flow_run_id: pause
            for flow_run_id, pause in self._pauses.items()
            if pause[0] + _KEPT_SECONDS > now
        }
        return sum(until > now for until, _ in self._pauses.values())
