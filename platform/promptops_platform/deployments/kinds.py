"""What other rooms use and provide: deployments for Prefect, timers, and due flow runs.

A room that needs deployments in Prefect:

1. writes a `DeploymentKind` and registers it in its composition: `kinds.add("schedule", handler)`;
2. calls `Deployments.changed(transaction, "schedule", ref)` in each transaction that changes or
   deletes a deployment; it is sent after the commit, and repeated until Prefect has it;
3. decides in `due` what a due flow run becomes. To execute it, it submits a detached run on that
   flow run:

       order = due.on(order)                  # executes the flow run
       await detached.submit(order, follower, also=claims.claiming(due))
       return taken()

   `claiming` raises `AlreadyClaimed` if another replica, or an earlier report of the same flow run,
   was faster: nothing is stored then. `due` may let the error pass: the answer is then `taken`.
   A flow run that has been claimed is not reported to `due` again.

A room that needs a timer registers `kinds.add_timer("approval", on_time)`, and calls
`Timers.set(transaction, "approval", ref, at)` and `Timers.cancel(transaction, "approval", ref)`.
`on_time(transaction, ref)` is called in the transaction that deletes the timer, so what it writes
is written once. A timer that passed while nothing ran fires as soon as Prefect and the platform are
available again.

A room that needs runs for events calls `Deployments.emit` after its commit, and sends an event
again, under another id, if no flow run has come of it.
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
    """A flow run that is due. `scheduled_at` is the time that it was first created for; an
    `automatic` one was created by Prefect's scheduler. For others, `parameters` are those that a
    person changed when pressing Run in Prefect, or an event's. If `waited`, it was answered with
    `later` before."""

    flow_run_id: str
    kind: str
    ref: str
    scheduled_at: datetime
    automatic: bool
    waited: bool = False
    parameters: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, due: FlowRunDue) -> "DueRun":
        """Return it from the engine's report."""
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
        """Return the order, executed by this flow run."""
        return replace(order, request=replace(order.request, flow_run_id=self.flow_run_id))


@dataclass(frozen=True, slots=True)
class DueAnswer:
    """The decision about a flow run; Prefect shows the message."""

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
        """Return all deployments for Prefect, including paused ones."""

    async def deployment(self, transaction: Transaction, ref: str) -> Deployment | None:
        """Return the current deployment; None if Prefect should have none."""

    async def due(self, due: DueRun) -> DueAnswer:
        """Decide about a due flow run; it may be reported more than once. Errors are logged, and
        the flow run is due again some seconds later."""

    async def paused(self, ref: str, *, paused: bool) -> None:
        """Apply that somebody has paused or resumed the deployment in Prefect."""


class DeploymentKinds:
    """The rooms that decide about flow runs. They are registered at composition."""

    def __init__(self) -> None:
        self.handlers: dict[str, DeploymentKind] = {}
        self.timers: dict[str, OnTime] = {}

    def add(self, kind: str, handler: DeploymentKind) -> None:
        """Register a room; `kind` has at most 32 characters."""
        self.handlers[kind] = handler

    def add_timer(self, kind: str, on_time: OnTime) -> None:
        """Register a callback for timers of that kind."""
        self.timers[kind] = on_time
