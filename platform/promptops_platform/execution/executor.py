"""Executes a run through the engine for a waiting caller, and keeps the run log up to date."""

import asyncio
from dataclasses import replace
from typing import Any

import structlog

from promptops_flows.protocol.engine_client import StartedRun
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable, EngineNotReady
from promptops_platform.execution.active_run import ActiveRun
from promptops_platform.execution.detached import DetachedRuns
from promptops_platform.execution.engine_start import EngineStart
from promptops_platform.execution.followers import RunFollower, RunOutcome
from promptops_platform.execution.following import FAULT, cancelled, crashed, follow, outcome_of
from promptops_platform.execution.order import RunOrder
from promptops_platform.execution.places import Places
from promptops_platform.execution.run_end import RunEnd, RunEnds
from promptops_platform.execution.run_feed import RunFeeds
from promptops_platform.execution.step_writer import StepWriter
from promptops_platform.execution.stored_plan import StoredPlan
from promptops_platform.execution.stored_runs import StoredRuns
from promptops_platform.execution.suspending import Suspension, Suspensions
from promptops_platform.http.loop_share import leave_loop_share
from promptops_platform.runlog.new_run import NewRun
from promptops_platform.runlog.service import RunLog
from promptops_platform.runlog.tables import RunRow
from promptops_platform.runlog.under_way import RunsUnderWay

log = structlog.get_logger(__name__)

# Time for a run that is cut off to record its end.
CUT_OFF_SECONDS = 3.0
RETRY_AFTER_STOP_SECONDS = 5
RETRY_SECONDS = 1.0
NOT_STARTED = "the run was not started: the platform is stopping; try again"
CUT_OFF = crashed("the platform was stopped before the run ended")


class RunExecutor:
    """Runs definitions. A run continues if its caller disconnects."""

    def __init__(
        self,
        *,
        database: Database,
        runs: RunLog,
        under_way: RunsUnderWay,
        stored: StoredRuns,
        feeds: RunFeeds,
        places: Places,
        engine_start: EngineStart,
        ends: RunEnds,
        suspensions: Suspensions,
        detached: DetachedRuns,
    ) -> None:
        self._places = places
        self._database = database
        self._runs = runs
        self._under_way = under_way
        self._stored = stored
        self._feeds = feeds
        self._engine_start = engine_start
        self._ends = ends
        self._suspensions = suspensions
        self._detached = detached
        self.active: dict[str, ActiveRun] = {}
        self._cut_off = False
        self._stopping = False

    async def run(self, order: RunOrder, follower: RunFollower | None = None) -> RunOutcome:
        """Run to the end, or until the run waits for approvals and continues in the background.
        Both also happen if the caller is cancelled.

        Raises TooManyRequests if the caller or the workspace has too many runs, and EngineNotReady
        if the engine doesn't accept the run within the configured wait; nothing is recorded then.
        """
        caller_id, workspace_id = order.caller_id, order.workspace_id
        new, request = order.new_run(), order.traced(self._runs.text_policy)
        leave_loop_share()
        await self._places.take(caller_id, workspace_id)
        if self._stopping:
            self._places.release(caller_id, workspace_id)
            raise EngineNotReady(NOT_STARTED, retry_after=RETRY_AFTER_STOP_SECONDS)
        active = ActiveRun(request.run_id)
        plan = StoredPlan(request, caller_id, follower.kept if follower else None)
        running = self._run(active, plan, new, follower or RunFollower())
        task = active.task = asyncio.create_task(running, name=request.run_id)
        self.active[request.run_id] = active
        task.add_done_callback(lambda _: self.active.pop(request.run_id, None))
        task.add_done_callback(lambda _: self._places.release(caller_id, workspace_id))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                raise
            raise EngineNotReady(NOT_STARTED, retry_after=RETRY_AFTER_STOP_SECONDS) from None

    async def drain(self, seconds: float) -> None:
        """Wait at most `seconds` for the active runs and for ends that are not written yet.

        Longer runs are recorded, and returned to their callers, as cut off. Runs that wait for the
        engine to accept them are not waited for, because the engine is stopping as well.
        """
        self._stopping = True
        for active in self.active.values():
            if active.started is None and active.task is not None:
                active.task.cancel()
        tasks = [active.task for active in self.active.values() if active.task is not None]
        waiting: set[asyncio.Task[Any]] = {*tasks, *self._ends.pending}
        if waiting:
            log.info("runs_draining", runs=len(waiting))
            _, late = await asyncio.wait(waiting, timeout=seconds)
            if late:
                await self._cut(late)

    async def _cut(self, late: set[asyncio.Task[Any]]) -> None:
        """End the active runs. A started run sees this as a lost engine connection, so it still
        records its end, whatever it is doing."""
        log.warning("runs_cut_off", runs=len(late))
        self._cut_off = True
        for task in late:
            active = self.active.get(task.get_name())
            if active is None or active.started is None:
                task.cancel()
            else:
                await active.started.close()
        await asyncio.wait(late, timeout=CUT_OFF_SECONDS)

    async def _run(
        self, active: ActiveRun, plan: StoredPlan, new: NewRun, follower: RunFollower
    ) -> RunOutcome:
        sealed = await self._stored.sealed(plan.without_credentials)
        started = active.started = await self._engine_start.prepare(plan.request)
        writer = StepWriter(
            self._database, self._runs, self._under_way, self._stored, active.run_id
        )
        try:
            await self._open(new, started, follower, sealed)
            try:
                outcome = await self._follow(active, started, follower, writer)
                if outcome.approvals:
                    suspension = Suspension(outcome, plan, follower, writer, is_stored=False)
                    return await self._suspend(active, suspension)
                await self._ends.record(RunEnd(outcome, follower, writer))
            except DatabaseUnavailable:
                raise  # recording the end is retried until it succeeds
            except Exception:
                # A bug of ours: the caller gets a 500, and the log must not say "running".
                await writer.abandon()
                await self._ends.record(RunEnd(outcome_of(new.id, started, FAULT), follower))
                raise
            return outcome
        finally:
            await writer.abandon()
            await started.close()

    async def _open(
        self, new: NewRun, started: StartedRun, follower: RunFollower, sealed: str
    ) -> None:
        run = replace(new, flow_run_id=started.flow_run_id, flow_run_url=started.flow_run_url)
        async with self._database.write(background=True) as transaction:
            await self._runs.open(transaction, run)
            await follower.open(transaction)
            await self._stored.add(transaction, run.id, sealed)

    async def _suspend(self, active: ActiveRun, suspension: Suspension) -> RunOutcome:
        row = await self._recorded(suspension)
        outcome, by = suspension.outcome, row.cancel_requested_by
        if by is not None:
            outcome = replace(outcome, end=cancelled(by), approvals=())
            flow_run_id, plan = outcome.flow_run_id, suspension.plan
            end = RunEnd(outcome, suspension.follower, plan=plan, flow_run_id=flow_run_id)
            await self._ends.record(end)
            return outcome
        # From here on it is a detached run.
        self.active.pop(row.id, None)
        if row.state == "queued":
            self._detached.take_up(row)
        if active.cancelled_by is not None:
            await self._detached.cancel(row.id, active.cancelled_by)
        return replace(outcome, waiting_run=row)

    async def _recorded(self, suspension: Suspension) -> RunRow:
        while True:
            try:
                return await self._suspensions.record(suspension)
            except DatabaseUnavailable:
                await asyncio.sleep(RETRY_SECONDS)

    async def _follow(
        self, active: ActiveRun, started: StartedRun, follower: RunFollower, writer: StepWriter
    ) -> RunOutcome:
        with self._feeds.following(active.run_id, follower) as fed:
            outcome = await follow(active, started, fed, writer, self._under_way.now)
        await writer.stop()
        if outcome.end.state == "crashed" and self._cut_off:
            outcome = replace(outcome, end=CUT_OFF)
        return outcome
