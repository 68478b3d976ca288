"""States of a firing."""

from typing import Literal, get_args

FiringState = Literal[
    # Its run has not started yet.
    "waiting",
    "started",
    # It made a run that ended well, or a delivery that the receiver took.
    "delivered",
    "failed",
    # It would have gone on with a loop.
    "stopped",
]
FIRING_STATES: tuple[FiringState, ...] = get_args(FiringState)
