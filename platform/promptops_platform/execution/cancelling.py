"""Cancels runs, wherever they are executed."""

import asyncio

from promptops_platform.access.actor import Actor
from promptops_platform.changes.signals import Signals
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import Conflict
from promptops_platform.execution.access import RunAccess
from promptops_platform.execution.detached import DetachedRuns
from promptops_platform.execution.executor import RunExecutor
from promptops_platform.execution.pooled_runs import PooledRuns
from promptops_platform.runlog.reading import RunReader
from promptops_platform.runlog.tables import RunRow, RunStepRow
from promptops_platform.runlog.under_way import RunsUnderWay, RunTakenOver

# A replica sends this signal to have the others check for requests immediately.
SIGNAL = "cancel"


class RunCancels:
    """The request is stored in the run's row, so that it survives the platform that executes the
    run."""

    def __init__(
        self,
        *,
        database: Database,
        access: RunAccess,
        reader: RunReader,
        under_way: RunsUnderWay,
        executor: RunExecutor,
        detached: DetachedRuns,
        pooled: PooledRuns,
        signals: Signals,
    ) -> None:
        self._database = database
        self._access = access
        self._reader = reader
        self._under_way = under_way
        self._executor = executor
        self._detached = detached
        self._pooled = pooled
        self._signals = signals
        self._ending: set[asyncio.Task[None]] = set()
        signals.listen(self._hear)

    async def cancel(self, run_id: str, *, actor: Actor) -> tuple[RunRow, list[RunStepRow]]:
        """End a run, and return it with its steps up to now.

        Raises NotFound, Forbidden, and Conflict if it has ended.
        """
        async with self._database.write() as transaction:
            row, _ = await self._access.find(transaction, run_id, actor=actor)
            by = await self._under_way.request_cancel(transaction, run_id, actor.name)
            if by is None:
                raise Conflict(
                    f"run {run_id!r} has ended as {row.state}; only runs that have not ended can "
                    "be cancelled"
                )
        # Continue if the caller disconnects, because nobody else would end the run.
        ending = asyncio.create_task(self._carry_out(run_id, by))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        await asyncio.shield(ending)
        async with self._database.read() as transaction:
            row = await self._reader.get(transaction, run_id, actor=actor)
            return row, await self._reader.steps(transaction, run_id)

    async def carry_out_requests(self) -> None:
        """End the runs of this platform whose cancellation was requested at another replica."""
        async with self._database.read() as transaction:
            requests = await self._under_way.cancel_requests(transaction)
        for run_id, by in requests:
            await self._end(run_id, by)

    async def _carry_out(self, run_id: str, by: str) -> None:
        if not await self._end(run_id, by) and self._signals.have_receivers:
            self._signals.send(SIGNAL)

    async def _end(self, run_id: str, by: str) -> bool:
        """End the run; return whether it is one of this platform or of a work pool."""
        waited = self._executor.active.get(run_id)
        if waited is not None:
            await waited.cancel(by)
            return True
        try:
            return await self._detached.cancel(run_id, by) or await self._pooled.cancel(run_id, by)
        except RunTakenOver:
            return True  # it has just ended

    def _hear(self, text: str) -> None:
        if text == SIGNAL:
            hearing = asyncio.get_running_loop().create_task(self.carry_out_requests())
            self._ending.add(hearing)
            hearing.add_done_callback(self._ending.discard)
