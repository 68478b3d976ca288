"""How an engine marks its runs in Prefect, to know them again after it was killed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from prefect.client.schemas.objects import FlowRun

_PROCESS = "engine_process"


@dataclass(frozen=True, slots=True)
class EngineIdentity:
    """`engine_id` outlives restarts, `process` does not."""

    engine_id: str
    process: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def tag(self) -> str:
        """By this an operator finds the engine's runs, and so does the next process."""
        return f"engine:{self.engine_id}"

    @property
    def context(self) -> dict[str, str]:
        """Stored along with each run. Not a list kept here: Prefect may show a run before its
        creation was answered."""
        return {_PROCESS: self.process}

    def runs(self, flow_run: FlowRun) -> bool:
        """Whether this very process created it."""
        return flow_run.context.get(_PROCESS) == self.process
