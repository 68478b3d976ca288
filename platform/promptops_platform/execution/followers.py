"""The outcome of a run, and what follows its progress."""

from dataclasses import dataclass, field
from typing import Any

from promptops_flows.protocol.engine_client import (
    ApprovalAsked,
    RunEvent,
    RunFinished,
    StepFinished,
)
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.runlog.tables import RunRow


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The outcome of a run; `steps` are those that finished, in the order in which they finished.
    With `approvals` the run has not ended but waits for these; `waiting_run` is its row once that
    is recorded."""

    run_id: str
    flow_run_id: str
    flow_run_url: str | None
    end: RunFinished
    steps: list[StepFinished] = field(default_factory=list)
    approvals: tuple[ApprovalAsked, ...] = ()
    waiting_run: RunRow | None = None


class RunFollower:
    """Hooks that are called during a run; this class does nothing."""

    @property
    def kept(self) -> dict[str, Any] | None:
        """What another process needs to follow the run instead of this one, as JSON."""
        return None

    async def open(self, transaction: Transaction) -> None:
        """Called in the transaction that opens the run, before anything is executed; an exception
        refuses the run."""

    def opened(self, outcome: RunOutcome) -> None:
        """The run has started; only the names in `outcome` are set."""

    def happened(self, event: RunEvent) -> None:
        """Called for each event; must not block, the run doesn't wait."""

    async def suspend(self, transaction: Transaction, row: RunRow) -> None:
        """Called in the transaction in which the run begins to wait for approvals and loses its
        waiting caller; it continues with a follower made from `kept`."""

    async def close(self, transaction: Transaction, outcome: RunOutcome) -> None:
        """Called in the transaction that closes the run, before the run itself is closed; repeated
        if that transaction could not be committed."""


class ForwardingFollower(RunFollower):
    """Forwards every call to another follower; subclasses add to it."""

    def __init__(self, follower: RunFollower) -> None:
        self._follower = follower

    @property
    def kept(self) -> dict[str, Any] | None:
        return self._follower.kept

    async def open(self, transaction: Transaction) -> None:
        await self._follower.open(transaction)

    def opened(self, outcome: RunOutcome) -> None:
        self._follower.opened(outcome)

    def happened(self, event: RunEvent) -> None:
        self._follower.happened(event)

    async def suspend(self, transaction: Transaction, row: RunRow) -> None:
        await self._follower.suspend(transaction, row)

    async def close(self, transaction: Transaction, outcome: RunOutcome) -> None:
        await self._follower.close(transaction, outcome)
