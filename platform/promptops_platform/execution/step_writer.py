"""Writes a run's finished steps and their checkpoints while the run executes."""

import asyncio
from collections.abc import Set
from datetime import datetime

import structlog

from promptops_flows.processes.waiting import end_tasks, happens_within
from promptops_flows.protocol.engine_client import (
    Checkpoint,
    EngineLost,
    StartedRun,
    StepFinished,
)
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.execution.step_records import StepRecords
from promptops_platform.execution.stored_runs import StoredRuns
from promptops_platform.runlog.service import RunLog
from promptops_platform.runlog.under_way import RunsUnderWay

log = structlog.get_logger(__name__)

# How long a finished step waits for others to share its transaction. Each transaction waits for the
# disk, and a short run needs only the one that ends it.
GATHER_SECONDS = 0.1
# How long the run's beginning waits to be written along with a step.
BEGIN_SECONDS = 1.0
RETRY_SECONDS = 1.0


class StepWriter(StepRecords):
    """Steps that end within GATHER_SECONDS of each other share a transaction.

    For a `durable` run each step is written immediately, and confirmed to the engine, which waits
    for it.
    """

    def __init__(
        self,
        database: Database,
        runs: RunLog,
        under_way: RunsUnderWay,
        stored: StoredRuns,
        run_id: str,
        *,
        durable: StartedRun | None = None,
        logged: Set[int] = frozenset(),
    ) -> None:
        super().__init__(runs, under_way, stored, run_id, logged=logged)
        self._database = database
        self._durable = durable
        self._stopping = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, at: datetime) -> None:
        """The run begins; written along with the first step, unless that takes long."""
        super().begin(at)
        pause = 0.0 if self._durable else BEGIN_SECONDS
        self._timer = asyncio.get_running_loop().call_later(pause, self._write_soon)

    def add(self, step: StepFinished) -> None:
        """Write this step soon, and again if the database is unavailable."""
        super().add(step)
        if self._steps:
            self._write_soon()

    async def stop(self) -> None:
        """Begin no further transaction. Raises the error of a failed one, unless the database was
        unavailable."""
        self._stopping.set()
        self._end_timer()
        if self._writing is not None:
            await self._writing

    async def abandon(self) -> None:
        """Write nothing more."""
        self._end_timer()
        if self._writing is not None:
            await end_tasks(self._writing)
        self._began_at, self._steps, self._checkpoints = None, [], []

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _write_soon(self) -> None:
        if self._writing is None or self._writing.done():
            if self._writing is not None:
                self._writing.result()
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        pause = gather = 0.0 if self._durable else GATHER_SECONDS
        while self._has_news and not await happens_within(self._stopping, pause):
            began_at, steps = self._began_at, list(self._steps)
            # Checkpoints of steps that have not been reported yet are written with them.
            places = {step.index for step in steps}
            checkpoints = [item for item in self._checkpoints if item.index in places]
            try:
                rows = await self._sealed(checkpoints)
                async with self._database.write(background=True) as transaction:
                    if self._durable:
                        await self._under_way.require_own(transaction, self._run_id)
                    await self._write_steps(transaction, began_at, steps, rows)
            except DatabaseUnavailable:
                pause = RETRY_SECONDS
            except Exception:
                if self._durable:
                    # Whoever reads the run's events learns of it.
                    await self._durable.close()
                raise
            else:
                pause = gather
                self._began_at = None
                del self._steps[: len(steps)]
                self._checkpoints = [item for item in self._checkpoints if item not in checkpoints]
                self._logged |= places
                await self._confirm(checkpoints)

    @property
    def _has_news(self) -> bool:
        return bool(self._steps) or self._began_at is not None

    async def _confirm(self, checkpoints: list[Checkpoint]) -> None:
        if self._durable is None:
            return
        try:
            for checkpoint in checkpoints:
                await self._durable.checkpoint_stored(checkpoint.index)
        except EngineLost:
            return  # whoever reads the run's events learns of it
