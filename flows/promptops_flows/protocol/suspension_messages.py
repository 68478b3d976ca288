"""What platform and engine say about runs that wait for people.

A run ends with `RunSuspended` where all that can be executed without a decision has been. It goes
on as a request with checkpoints of the decided steps and the flow run that is suspended. Whoever
watches the engine learns of those that somebody cancels in Prefect:

    platform → engine          engine → platform
    Watch                      Watching, CancelPressed, ...
    EndSuspended               SuspendedEnded | Unavailable      (a connection of its own)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ApprovalAsked:
    """The approval step `index`, counted from 1, waits for a person; `message` is Markdown."""

    index: int
    name: str
    message: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RunSuspended:
    """The last message of a run that waits for people."""

    approvals: tuple[ApprovalAsked, ...]


@dataclass(frozen=True, slots=True)
class CancelPressed:
    """Somebody has cancelled a suspended flow run in Prefect."""

    flow_run_id: str


@dataclass(frozen=True, slots=True)
class EndSuspended:
    """Show a suspended flow run as cancelled; `message` says why."""

    flow_run_id: str
    message: str


@dataclass(frozen=True, slots=True)
class SuspendedEnded:
    """Prefect shows it so, or does not have the flow run."""


SuspensionMessage = CancelPressed | EndSuspended | SuspendedEnded
KINDS: dict[str, type[Any]] = {
    "run_suspended": RunSuspended,
    "cancel_pressed": CancelPressed,
    "end_suspended": EndSuspended,
    "suspended_ended": SuspendedEnded,
}
