"""Messages between platform and engine about runs that wait for people.

A run ends with `RunSuspended` once all steps that don't need a decision have been executed. It
continues with a new request that contains checkpoints of the decided steps and the suspended flow
run. Watchers of the engine are notified of suspended runs that somebody cancels in Prefect:

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
    """Somebody cancelled a suspended flow run in Prefect."""

    flow_run_id: str


@dataclass(frozen=True, slots=True)
class EndSuspended:
    """Show a suspended flow run as cancelled; `message` says why."""

    flow_run_id: str
    message: str


@dataclass(frozen=True, slots=True)
class SuspendedEnded:
    """Prefect shows it as cancelled, or doesn't have the flow run."""


SuspensionMessage = CancelPressed | EndSuspended | SuspendedEnded
KINDS: dict[str, type[Any]] = {
    "run_suspended": RunSuspended,
    "cancel_pressed": CancelPressed,
    "end_suspended": EndSuspended,
    "suspended_ended": SuspendedEnded,
}
