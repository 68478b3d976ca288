"""A run that this process executes or waits to execute."""

import asyncio
from typing import Any

from promptops_flows.protocol.engine_client import EngineLost, StartedRun


class ActiveRun:
    """`task` executes it to its end. `started` is set while the engine has the run, `cancelled_by`
    once a cancellation is requested."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.task: asyncio.Task[Any] | None = None
        self.started: StartedRun | None = None
        self.cancelled_by: str | None = None
        self._goes = False

    async def go(self, started: StartedRun) -> None:
        """Let the engine execute the run, or end it immediately; raises EngineLost."""
        await started.go()
        self._goes = True
        if self.cancelled_by is not None:
            await started.cancel(self.cancelled_by)

    def lost(self) -> None:
        """The engine no longer has the run."""
        self.started, self._goes = None, False

    async def cancel(self, by: str) -> None:
        """Have the engine end the run; the first request counts."""
        if self.cancelled_by is not None:
            return
        self.cancelled_by = by
        if self.started is not None and self._goes:
            try:
                await self.started.cancel(by)
            except EngineLost:
                return  # whoever follows the run learns that the engine was lost
