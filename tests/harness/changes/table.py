"""A table of all routes that change something, each with an example request and its audit
entries."""

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

# Each of these modules adds its rows.
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
