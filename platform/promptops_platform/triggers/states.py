"""States of a firing."""

from typing import Literal, get_args

FiringState = Literal[
    # It has no run yet.
    "waiting",
    # Its run is in progress.
    "started",
    # Its run completed, or the receiver accepted its delivery.
    "delivered",
    # Its run failed, was cancelled, or could not be created.
    "failed",
    # It would have continued a loop.
    "stopped",
]
FIRING_STATES: tuple[FiringState, ...] = get_args(FiringState)
