"""How a run went, and who follows it on the way."""

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
    """How a run went; `steps` are those that finished, in the order in which they did. With
    `approvals` it has not ended, and waits for these; `waiting_run` is its row then, once that is
    recorded."""

    run_id: str
    flow_run_id: str
    flow_run_url: str | None
    end: RunFinished
    steps: list[StepFinished] = field(default_factory=list)
    approvals: tuple[ApprovalAsked, ...] = ()
    waiting_run: RunRow | None = None


class RunFollower:
    """What else happens along with a run; this one does nothing."""

    @property
    def kept(self) -> dict[str, Any] | None:
        """What another process needs to follow the run in this one's place, as JSON."""
        return None

    async def open(self, transaction: Transaction) -> None:
        """Inside the transaction that opens the run, before anything was executed; what it raises
        refuses the run."""

    def opened(self, outcome: RunOutcome) -> None:
        """The run goes; of `outcome` only its names are known."""

    def happened(self, event: RunEvent) -> None:
        """As it happens; the run does not wait."""

    async def suspend(self, transaction: Transaction, row: RunRow) -> None:
        """Inside the transaction from which on nobody waits for the run, which waits for people;
        it goes on with a follower that is made of `kept`."""

    async def close(self, transaction: Transaction, outcome: RunOutcome) -> None:
        """Inside the transaction that closes the run, before the run itself; may be repeated where
        that one could not be committed."""


class ForwardingFollower(RunFollower):
    """Does what another one does; a subclass does more."""

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
