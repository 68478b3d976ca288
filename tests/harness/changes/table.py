"""A table of all routes that change something, each with a change to make and what it enters."""

from harness.changes import (
    accounts,
    agents,
    change_requests,
    connections,
    prompts,
    runs,
    schedules,
    triggers,
    workers,
    workflows,
    workspaces,
)
from harness.changes.rows import ROWS

# Each has added its rows.
ROOMS = (
    accounts,
    agents,
    change_requests,
    connections,
    prompts,
    runs,
    schedules,
    triggers,
    workers,
    workflows,
    workspaces,
)

__all__ = ["ROOMS", "ROWS"]
