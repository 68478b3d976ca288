"""What a run shares with the runs inside of it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace

from promptops_flows.engine.cancellation import Cancellation
from promptops_flows.engine.checkpoints import Checkpoints, NoCheckpoints
from promptops_flows.engine.inner_flows import InnerFlows


@dataclass(frozen=True, slots=True)
class RunControl:
    """What ends the run early, and what survives its end."""

    cancellation: Cancellation
    checkpoints: Checkpoints
    inner_flows: InnerFlows
    is_inner: bool = False

    def for_inner(self) -> RunControl:
        """For the run inside of a step, of which the step as a whole has a checkpoint."""
        return replace(self, checkpoints=NoCheckpoints(), is_inner=True)

    def scope(self) -> AbstractAsyncContextManager[None]:
        """Holds the run's steps. Those of an inner run are stopped by the step around them."""
        return nullcontext() if self.is_inner else self.cancellation.scope()
