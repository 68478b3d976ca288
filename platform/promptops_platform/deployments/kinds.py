"""What other rooms give and get: deployments that Prefect is to hold, timers, and flow runs that
become due.

A room that wants deployments in Prefect:

1. writes a `DeploymentKind` and enters it in its composition: `kinds.add("schedule", handler)`;
2. calls `Deployments.changed(transaction, "schedule", ref)` in each transaction after which another
   deployment, or none, is to be there; it is put after the commit, and again until Prefect has it;
3. decides in `due` what becomes of a flow run whose time has come. To execute it, it submits a
   detached run on that very flow run:

       order = due.on(order)                  # executes the flow run
       await detached.submit(order, follower, also=claims.claiming(due))
       return taken()

   `claiming` raises `AlreadyClaimed` where another replica, or an earlier report of the same flow
   run, was faster: nothing is stored then. `due` may let it pass: the answer is that it is taken.
   A flow run that has been claimed is not reported to `due` again.

A room that wants a timer enters `kinds.add_timer("approval", on_time)`, and calls
`Timers.set(transaction, "approval", ref, at)` and `Timers.cancel(transaction, "approval", ref)`.
`on_time(transaction, ref)` is called in the transaction that forgets the timer, so what it writes
is written once. A timer that passed while nothing ran goes off as soon as Prefect and the platform
are there again.

A room that wants runs for events calls `Deployments.emit` after its commit, and tells an event once
more, under another id, where no flow run has come of it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from promptops_flows.protocol.deployment_messages import Deployment, DueOutcome, FlowRunDue
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.execution.order import RunOrder

OnTime = Callable[[Transaction, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class DueRun:
    """A flow run whose time has come. `scheduled_at` is the time that it was first made for; an
    `automatic` one was made by Prefect's scheduler. Of others, `parameters` are what somebody has
    changed who pressed Run in Prefect, or an event's. One that has `waited` was answered `later`
    before."""

    flow_run_id: str
    kind: str
    ref: str
    scheduled_at: datetime
    automatic: bool
    waited: bool = False
    parameters: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, due: FlowRunDue) -> "DueRun":
        """As the engine reports it."""
        return cls(
            due.flow_run_id,
            due.owner.kind,
            due.owner.ref,
            datetime.fromisoformat(due.scheduled_at),
            due.automatic,
            due.waited,
            due.parameters,
        )

    def on(self, order: RunOrder) -> RunOrder:
        """The order, executed by this flow run."""
        return replace(order, request=replace(order.request, flow_run_id=self.flow_run_id))


@dataclass(frozen=True, slots=True)
class DueAnswer:
    """What becomes of a flow run; Prefect shows the message."""

    outcome: DueOutcome
    message: str = ""
    seconds: float = 0.0


def taken() -> DueAnswer:
    """A run executes it, now or when its turn comes."""
    return DueAnswer("taken")


def done(message: str) -> DueAnswer:
    """It ends as completed: nothing is left to do."""
    return DueAnswer("done", message)


def later(message: str, seconds: float) -> DueAnswer:
    """It waits in Prefect, and is due again after `seconds`."""
    return DueAnswer("later", message, seconds)


def refused(message: str) -> DueAnswer:
    """It ends as cancelled."""
    return DueAnswer("refused", message)


class DeploymentKind(Protocol):
    """The deployments of one room. `ref` is an id of that room."""

    async def deployments(self, transaction: Transaction) -> list[Deployment]:
        """All that Prefect is to hold, paused ones included."""

    async def deployment(self, transaction: Transaction, ref: str) -> Deployment | None:
        """One of them as it is now; None where Prefect is to hold none."""

    async def due(self, due: DueRun) -> DueAnswer:
        """Decide about a flow run that is due; it may be reported more than once. What it raises is
        logged, and the flow run is due again some seconds later."""

    async def paused(self, ref: str, *, paused: bool) -> None:
        """Somebody has paused or resumed the deployment in Prefect."""


class DeploymentKinds:
    """Who decides about which flow runs. Rooms enter themselves when they are composed."""

    def __init__(self) -> None:
        self.handlers: dict[str, DeploymentKind] = {}
        self.timers: dict[str, OnTime] = {}

    def add(self, kind: str, handler: DeploymentKind) -> None:
        """Enter a room; `kind` is at most 32 characters."""
        self.handlers[kind] = handler

    def add_timer(self, kind: str, on_time: OnTime) -> None:
        """Enter what happens when a timer of that kind goes off."""
        self.timers[kind] = on_time
