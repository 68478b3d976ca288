"""What the engine's socket server needs of the code that executes runs. Doesn't load Prefect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from promptops_flows.protocol.engine_protocol import RunEvent, RunFinished
from promptops_flows.protocol.pool_messages import Enqueue, Enqueued, Withdraw
from promptops_flows.protocol.run_request import RunRequest
from promptops_flows.protocol.suspension_messages import RunSuspended

Emit = Callable[[RunEvent], None]


class RunUnavailableError(Exception):
    """The run can't be accepted now; the message is one sentence."""


class RunRefusedError(Exception):
    """The run can never be accepted as it is; the message is one sentence."""


class Prepared(Protocol):
    """A run with a pending flow run in Prefect; no step has been executed."""

    @property
    def flow_run_id(self) -> str: ...

    @property
    def flow_run_url(self) -> str | None: ...


PreparedT = TypeVar("PreparedT", bound=Prepared)


class Runs(Protocol, Generic[PreparedT]):
    async def prepare(self, request: RunRequest, emit: Emit) -> PreparedT:
        """Create the flow run. Raises `RunRefusedError` or `RunUnavailableError`, and leaves
        nothing in Prefect then."""

    async def enqueue(self, asked: Enqueue) -> Enqueued:
        """Put the run into its work pool, where Prefect offers it to workers; raises like
        `prepare`."""

    async def withdraw(self, asked: Withdraw) -> None:
        """Remove the run from its work pool; raises `RunUnavailableError`."""

    async def execute(self, prepared: PreparedT) -> RunFinished | RunSuspended:
        """Execute the run until it ends or waits for people. Returns the result even of a failed
        run, and never raises."""

    def cancel(self, prepared: PreparedT, by: str) -> None:
        """Cancel a running run. Has no effect on one that has ended."""

    def abandon(self, prepared: PreparedT) -> None:
        """Nobody follows the run any more; a durable run is stopped, since another engine continues
        it."""

    def checkpoint_stored(self, prepared: PreparedT, index: int) -> None:
        """The step's checkpoint is stored, so the steps that depend on it may begin."""

    async def end_suspended(self, flow_run_id: str, message: str) -> None:
        """Show a suspended flow run as cancelled; raises `RunUnavailableError`."""

    async def discard(self, prepared: PreparedT) -> None:
        """Delete the flow run of a run that was never started."""
