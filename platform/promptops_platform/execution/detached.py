"""Runs without a waiting caller; they continue after the engine or the platform ended during
them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from promptops_flows.processes.waiting import end_tasks
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import TooManyRequests
from promptops_platform.execution.active_run import ActiveRun
from promptops_platform.execution.attempts import RunAttempts
from promptops_platform.execution.followers import RunFollower
from promptops_platform.execution.following import cancelled
from promptops_platform.execution.order import RunOrder
from promptops_platform.execution.pooled_runs import PooledRuns
from promptops_platform.execution.stored_plan import StoredPlan
from promptops_platform.execution.stored_runs import StoredRuns
from promptops_platform.fair_queue import FairQueue
from promptops_platform.runlog.service import RunLog
from promptops_platform.runlog.tables import RunRow
from promptops_platform.runlog.under_way import RunsUnderWay, RunTakenOver

log = structlog.get_logger(__name__)

# Time for a run that is cut off to record that it is left to the next start.
LEAVE_SECONDS = 3.0
RETRY_AFTER_SECONDS = 10

Also = Callable[[Transaction, RunRow], Awaitable[None]]


class DetachedRuns:
    """At most `places` run at once; the others are queued in the run log and taken workspace by
    workspace. A workspace may queue at most `most_queued`."""

    def __init__(
        self,
        *,
        database: Database,
        runs: RunLog,
        under_way: RunsUnderWay,
        stored: StoredRuns,
        attempts: RunAttempts,
        pooled: PooledRuns,
        places: int,
        most_queued: int,
    ) -> None:
        self._database = database
        self._runs = runs
        self._under_way = under_way
        self._stored = stored
        self._attempts = attempts
        self._pooled = pooled
        self._queue = FairQueue(places)
        self._most_queued = most_queued
        self._queued: Counter[str] = Counter()
        self.active: dict[str, ActiveRun] = {}
        self._again: dict[str, RunRow] = {}

    async def start(self) -> None:
        """Continue the runs that the last stop, or a crash, has left."""
        async with self._database.read() as transaction:
            rows = await self._under_way.left(transaction)
        for row in rows:
            if row.cancel_requested_by is None:
                self.take_up(row)
            else:
                with suppress(RunTakenOver):
                    await self._attempts.end(row.id, cancelled(row.cancel_requested_by))
        if rows:
            log.info("runs_taken_up", runs=len(rows))

    async def submit(
        self, order: RunOrder, follower: RunFollower, *, also: Also | None = None
    ) -> RunRow:
        """Record a run and have it executed; `also` writes in the same transaction.

        Raises TooManyRequests if too many runs of the workspace are queued.
        """
        plan = StoredPlan(order.traced(self._runs.text_policy), order.caller_id, follower.kept)
        self.require_room(order.workspace_id)
        sealed = await self._stored.sealed(plan)
        async with self._database.write() as transaction:
            row = await self._runs.open(transaction, order.new_run(is_detached=True))
            await follower.open(transaction)
            await self._stored.add(transaction, row.id, sealed)
            self._pooled.enter(transaction, row)
            if also is not None:
                await also(transaction, row)
        self.take_up(row)
        return row

    def require_room(self, workspace_id: str) -> None:
        """Raises TooManyRequests if too many runs of a workspace are queued."""
        if self._queued[workspace_id] >= self._most_queued:
            raise TooManyRequests(
                f"too many runs wait: {self._most_queued} of this workspace are queued; try again "
                f"in {RETRY_AFTER_SECONDS} seconds, or have an admin raise PROMPTOPS_QUEUED_RUNS",
                retry_after=RETRY_AFTER_SECONDS,
            )

    def take_up(self, row: RunRow) -> None:
        """Execute a run of this platform when its turn comes, or have a work pool execute it."""
        if row.pool is not None:
            self._pooled.wake()
            return
        if self._attempts.stopping:
            return
        if row.id in self.active:
            # It has just begun to wait for approvals that have already been decided.
            self._again[row.id] = row
            return
        active = self.active[row.id] = ActiveRun(row.id)
        executing = self._execute(active, row.workspace_id, was_lost=row.state == "running")
        task = active.task = asyncio.create_task(executing, name=row.id)
        task.add_done_callback(lambda _: self._done(row.id))

    def _done(self, run_id: str) -> None:
        del self.active[run_id]
        if row := self._again.pop(run_id, None):
            self.take_up(row)

    async def cancel(self, run_id: str, by: str) -> bool:
        """End a run, immediately if the engine doesn't have it; False if the run isn't here. Raises
        RunTakenOver if it has just ended."""
        active = self.active.get(run_id)
        if active is None or active.task is None:
            return await self._attempts.end_waiting(run_id, cancelled(by))
        await active.cancel(by)
        if active.started is None:
            await end_tasks(active.task)
            await self._attempts.end(run_id, cancelled(by))
        return True

    async def drain(self, seconds: float) -> None:
        """Wait at most `seconds` for the runs that the engine has; all that have not ended then are
        left to the next start."""
        self._attempts.stopping = True
        runs = [run for run in self.active.values() if run.task is not None]
        await end_tasks(*(run.task for run in runs if run.started is None))
        going = {run.task: run for run in runs if run.task is not None and not run.task.done()}
        if not going:
            return
        _, late = await asyncio.wait(going, timeout=seconds)
        for task in late:
            started = going[task].started
            if started is not None:
                await started.close()
        if late:
            log.info("runs_left", runs=len(late))
            _, stuck = await asyncio.wait(late, timeout=LEAVE_SECONDS)
            await end_tasks(*stuck)

    async def _execute(self, active: ActiveRun, workspace_id: str, *, was_lost: bool) -> None:
        self._queued[workspace_id] += 1
        try:
            await self._queue.enter(workspace_id)
        finally:
            self._queued[workspace_id] -= 1
        try:
            await self._attempts.execute(active, was_lost=was_lost)
            if active.cancelled_by is not None:
                # It may just have begun to wait for approvals.
                await self._attempts.end_waiting(active.run_id, cancelled(active.cancelled_by))
        finally:
            self._queue.leave()
