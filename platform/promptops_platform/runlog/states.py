"""The states of a run, and the status that the API has for each."""

from typing import Literal, get_args

RunState = Literal[
    "queued", "running", "waiting", "completed", "failed", "timed_out", "cancelled", "crashed"
]
RunStatus = Literal["running", "ok", "error"]

STATES: tuple[RunState, ...] = get_args(RunState)
UNDER_WAY_STATES: tuple[RunState, ...] = ("queued", "running", "waiting")


def status_of(state: RunState) -> RunStatus:
    """Return whether the run is active, or how it ended."""
    if state in UNDER_WAY_STATES:
        return "running"
    return "ok" if state == "completed" else "error"
