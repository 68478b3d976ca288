"""Marks an engine's runs in Prefect, so that it recognizes them after it was killed."""

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
    """`engine_id` stays the same across restarts, `process` does not."""

    engine_id: str
    process: str = field(default_factory=lambda: uuid.uuid4().hex)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    _adopted: set[UUID] = field(default_factory=set, repr=False)

    @property
    def tag(self) -> str:
        """The tag by which operators and the next process find the engine's runs."""
        return f"{_TAG}{self.engine_id}"

    def own(self, tags: list[str]) -> list[str]:
        """The tags of a flow run that this engine now executes."""
        return [*(tag for tag in tags if not tag.startswith(_TAG)), self.tag]

    @property
    def context(self) -> dict[str, str]:
        """Stored with each flow run. Not a list in memory: Prefect may return a flow run from a
        query before its creation has returned."""
        return {_PROCESS: self.process}

    def runs(self, flow_run: FlowRun) -> bool:
        """Whether this process created the flow run or executes it again."""
        return flow_run.context.get(_PROCESS) == self.process or flow_run.id in self._adopted

    def adopt(self, flow_run_id: UUID) -> None:
        """This process executes a flow run that another one may have created."""
        self._adopted.add(flow_run_id)
