"""The cancellation and the checkpoints that a run shares with its inner runs."""

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
        """The control of an inner run; the step around it has one checkpoint as a whole."""
        return replace(self, checkpoints=NoCheckpoints(), is_inner=True)

    def scope(self) -> AbstractAsyncContextManager[None]:
        """Surrounds the run's steps. Those of an inner run are stopped by the step around them."""
        return nullcontext() if self.is_inner else self.cancellation.scope()
