"""What the engine's socket needs of whatever executes runs. Known without loading Prefect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from promptops_flows.protocol.engine_protocol import RunEvent, RunFinished
from promptops_flows.protocol.pool_messages import Enqueue, Enqueued, Withdraw
from promptops_flows.protocol.run_request import RunRequest
from promptops_flows.protocol.suspension_messages import RunSuspended

Emit = Callable[[RunEvent], None]


class RunUnavailableError(Exception):
    """The run could not be taken now; one sentence."""


class RunRefusedError(Exception):
    """The run can never be taken as it is; one sentence."""


class Prepared(Protocol):
    """A run that Prefect knows as pending; nothing of it has been executed."""

    @property
    def flow_run_id(self) -> str: ...

    @property
    def flow_run_url(self) -> str | None: ...


PreparedT = TypeVar("PreparedT", bound=Prepared)


class Runs(Protocol, Generic[PreparedT]):
    async def prepare(self, request: RunRequest, emit: Emit) -> PreparedT:
        """Raises `RunRefusedError` or `RunUnavailableError`; nothing is left in Prefect then."""

    async def enqueue(self, asked: Enqueue) -> Enqueued:
        """Have Prefect offer it to the workers of its pool; raises as `prepare`."""

    async def withdraw(self, asked: Withdraw) -> None:
        """Have Prefect offer it no longer; raises `RunUnavailableError`."""

    async def execute(self, prepared: PreparedT) -> RunFinished | RunSuspended:
        """Execute to the end, or until it waits for people; how it ended is in the answer, never
        an exception."""

    def cancel(self, prepared: PreparedT, by: str) -> None:
        """End a run that is under way; one that has ended stays as it is."""

    def abandon(self, prepared: PreparedT) -> None:
        """Nobody follows the run any more; a durable one ends, as somebody else takes it over."""

    def checkpoint_stored(self, prepared: PreparedT, index: int) -> None:
        """What depends on that step of a durable run may begin."""

    async def end_suspended(self, flow_run_id: str, message: str) -> None:
        """Show a suspended flow run as cancelled; raises `RunUnavailableError`."""

    async def discard(self, prepared: PreparedT) -> None:
        """Remove a run that was never let go."""
