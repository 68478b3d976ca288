"""How an engine marks its runs in Prefect, to know them again after it was killed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from prefect.client.schemas.objects import FlowRun

_PROCESS = "engine_process"
_TAG = "engine:"


@dataclass(frozen=True, slots=True)
class EngineIdentity:
    """`engine_id` outlives restarts, `process` does not."""

    engine_id: str
    process: str = field(default_factory=lambda: uuid.uuid4().hex)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    _adopted: set[UUID] = field(default_factory=set, repr=False)

    @property
    def tag(self) -> str:
        """By this an operator finds the engine's runs, and so does the next process."""
        return f"{_TAG}{self.engine_id}"

    def own(self, tags: list[str]) -> list[str]:
        """The tags of a flow run that this engine executes from now on."""
        return [*(tag for tag in tags if not tag.startswith(_TAG)), self.tag]

    @property
    def context(self) -> dict[str, str]:
        """Stored along with each run. Not a list kept here: Prefect may show a run before its
        creation was answered."""
        return {_PROCESS: self.process}

    def runs(self, flow_run: FlowRun) -> bool:
        """Whether this very process created it, or executes it once more."""
        return flow_run.context.get(_PROCESS) == self.process or flow_run.id in self._adopted

    def adopt(self, flow_run_id: UUID) -> None:
        """This process executes a flow run that another one may have created."""
        self._adopted.add(flow_run_id)
