"""A run that this process executes or waits to execute."""

import asyncio
from typing import Any

from promptops_flows.protocol.engine_client import EngineLost, StartedRun


class ActiveRun:
    """`task` takes it to its end. `started` is set while the engine has it, `cancelled_by` once
    somebody wants it cancelled."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.task: asyncio.Task[Any] | None = None
        self.started: StartedRun | None = None
        self.cancelled_by: str | None = None
        self._goes = False

    async def go(self, started: StartedRun) -> None:
        """Let the engine execute it, or end it at once; raises EngineLost."""
        await started.go()
        self._goes = True
        if self.cancelled_by is not None:
            await started.cancel(self.cancelled_by)

    def lost(self) -> None:
        """The engine has it no longer."""
        self.started, self._goes = None, False

    async def cancel(self, by: str) -> None:
        """Have the engine end it; the first one who wants it counts."""
        if self.cancelled_by is not None:
            return
        self.cancelled_by = by
        if self.started is not None and self._goes:
            try:
                await self.started.cancel(by)
            except EngineLost:
                return  # who follows it learns of it
