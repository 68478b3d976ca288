"""Flow runs that a worker asks for less and less often: others have them, or nobody knows them."""

from __future__ import annotations

_FIRST_SECONDS = 0.5
_LONGEST_SECONDS = 30.0
# One that was not asked for lately counts as new.
_KEPT_SECONDS = 60.0


class PassedOver:
    """The longer, the more often one was asked for in vain; times are those of the loop."""

    def __init__(self) -> None:
        # Until when, and for how long.
        self._pauses: dict[str, tuple[float, float]] = {}

    def add(self, flow_run_id: str, now: float) -> None:
        """It is asked for now."""
        _, seconds = self._pauses.get(flow_run_id, (0.0, _FIRST_SECONDS / 2))
        seconds = min(2 * seconds, _LONGEST_SECONDS)
        self._pauses[flow_run_id] = now + seconds, seconds

    def has(self, flow_run_id: str, now: float) -> bool:
        """Whether it is not to be asked for yet."""
        until, _ = self._pauses.get(flow_run_id, (now, 0.0))
        return until > now

    def forget(self, flow_run_id: str) -> None:
        """It may be asked for at once."""
        self._pauses.pop(flow_run_id, None)

    def count(self, now: float) -> int:
        """How many are not to be asked for now."""
        self._pauses = {
            flow_run_id: pause
            for flow_run_id, pause in self._pauses.items()
            if pause[0] + _KEPT_SECONDS > now
        }
        return sum(until > now for until, _ in self._pauses.values())
