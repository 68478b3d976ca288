"""What has to be recorded of an active run: its beginning, finished steps, and their
checkpoints."""

from collections.abc import Set
from datetime import datetime

from promptops_flows.protocol.engine_client import Checkpoint, StepFinished
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.execution.stored_runs import StoredRuns
from promptops_platform.execution.tables import RunCheckpointRow
from promptops_platform.runlog.service import RunLog
from promptops_platform.runlog.under_way import RunsUnderWay


class StepRecords:
    """`logged` are the steps of earlier attempts in the run log."""

    def __init__(
        self,
        runs: RunLog,
        under_way: RunsUnderWay,
        stored: StoredRuns,
        run_id: str,
        *,
        logged: Set[int] = frozenset(),
    ) -> None:
        self._runs = runs
        self._under_way = under_way
        self._stored = stored
        self._run_id = run_id
        self._logged = set(logged)
        self._began_at: datetime | None = None
        self._steps: list[StepFinished] = []
        self._checkpoints: list[Checkpoint] = []

    def begin(self, at: datetime) -> None:
        """The run begins."""
        self._began_at = at

    def add_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Add a checkpoint; it is written along with its step, which follows."""
        self._checkpoints.append(checkpoint)

    def add(self, step: StepFinished) -> None:
        """Add a finished step."""
        if not (step.reused and step.index in self._logged):
            self._steps.append(step)

    async def write_rest(self, transaction: Transaction, *, completed: bool) -> None:
        """Write what is not written yet; a completed run needs no checkpoints."""
        rows = [] if completed else await self._sealed(self._checkpoints)
        await self._write_steps(transaction, self._began_at, self._steps, rows)

    async def _write_steps(
        self,
        transaction: Transaction,
        began_at: datetime | None,
        steps: list[StepFinished],
        checkpoints: list[RunCheckpointRow],
    ) -> None:
        if began_at is not None:
            await self._runs.begin(transaction, self._run_id, began_at)
        for step in steps:
            if step.index in self._logged:
                await self._under_way.remove_step(transaction, self._run_id, step.index)
            await self._runs.add_step(transaction, self._run_id, step)
        await self._stored.add_checkpoints(transaction, checkpoints)

    async def _sealed(self, checkpoints: list[Checkpoint]) -> list[RunCheckpointRow]:
        if not checkpoints:
            return []
        return await self._stored.sealed_checkpoints(self._run_id, checkpoints)
