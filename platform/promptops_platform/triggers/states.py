"""States of a firing."""

from typing import Literal, get_args

FiringState = Literal[
    # It has no run yet.
    "waiting",
    # It has one, which has not ended.
    "started",
    # It made a run that ended well, or a delivery that the receiver took.
    "delivered",
    # The run failed or was cancelled, or none could be made.
    "failed",
    # It would have gone on with a loop.
    "stopped",
]
FIRING_STATES: tuple[FiringState, ...] = get_args(FiringState)
