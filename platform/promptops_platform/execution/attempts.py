"""Executes detached runs to their ends; each attempt continues where the previous one was lost."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from promptops_flows.protocol.engine_client import RunFinished, StartedRun
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import BadRequest, DatabaseUnavailable, EngineNotReady
from promptops_platform.execution.active_run import ActiveRun
from promptops_platform.execution.attempt import Attempt, AttemptReader, CantGoOn
from promptops_platform.execution.engine_start import EngineStart
from promptops_platform.execution.followers import RunFollower, RunOutcome
from promptops_platform.execution.following import FAULT, InnerPlaces, cancelled, follow
from promptops_platform.execution.run_end import RunEnd, RunEnds
from promptops_platform.execution.run_feed import RunFeeds
from promptops_platform.execution.step_writer import StepWriter
from promptops_platform.execution.stored_runs import StoredRuns
from promptops_platform.execution.suspending import Suspension, Suspensions
from promptops_platform.runlog.service import RunLog
from promptops_platform.runlog.under_way import RunsUnderWay, RunTakenOver

log = structlog.get_logger(__name__)

T = TypeVar("T")
RETRY_SECONDS = 1.0


class RunAttempts:
    """While it is `stopping`, runs that have not ended are left to the next start."""

    def __init__(
        self,
        *,
        database: Database,
        runs: RunLog,
        under_way: RunsUnderWay,
        stored: StoredRuns,
        reader: AttemptReader,
        engine_start: EngineStart,
        ends: RunEnds,
        feeds: RunFeeds,
        suspensions: Suspensions,
    ) -> None:
        self.stopping = False
        self._database = database
        self._runs = runs
        self._under_way = under_way
        self._stored = stored
        self._reader = reader
        self._engine_start = engine_start
        self._ends = ends
        self._feeds = feeds
        self._suspensions = suspensions

    async def execute(self, active: ActiveRun, *, was_lost: bool) -> None:
        """Execute a run to its end; `was_lost` if whoever executed it before has ended."""
        try:
            end = await self._attempts(active, was_lost=was_lost)
            if end is not None:
                await self.end(active.run_id, end)
        except RunTakenOver:
            log.warning("run_taken_over", run=active.run_id)
        except DatabaseUnavailable:
            return  # recording the end is retried until it succeeds

    async def end(self, run_id: str, end: RunFinished, *, instance: str | None = None) -> None:
        """End a run that the engine doesn't have and that belongs to this platform or to
        `instance`; raises RunTakenOver if it has ended."""
        unstarted = await self._persistently(lambda: self._unstarted(run_id, end, instance))
        await self._ends.record(unstarted)

    async def end_waiting(self, run_id: str, end: RunFinished) -> bool:
        """End one of our own runs that waits for approvals; False if it isn't waiting."""

        async def is_waiting() -> bool:
            async with self._database.read() as transaction:
                return await self._under_way.is_waiting(transaction, run_id)

        if not await self._persistently(is_waiting):
            return False
        await self.end(run_id, end)
        return True

    async def _unstarted(self, run_id: str, end: RunFinished, instance: str | None) -> RunEnd:
        async with self._database.read() as transaction:
            row = await self._under_way.of(instance).find_own(transaction, run_id)
            plan = await self._stored.readable_plan(transaction, run_id)
            flow_run_id = await self._stored.suspended_flow_run(transaction, run_id)
        outcome = RunOutcome(run_id, row.flow_run_id or "", row.flow_run_url, end)
        follower = self._reader.follower(row, plan) if plan else RunFollower()
        return RunEnd(outcome, follower, plan=plan, flow_run_id=flow_run_id, instance=instance)

    async def _attempts(self, active: ActiveRun, *, was_lost: bool) -> RunFinished | None:
        """Return how the run ends, None if that is recorded already."""
        try:
            if was_lost:
                await self._requeue(active.run_id, counted=True)
            while await self._attempt(active):
                pass
        except (RunTakenOver, DatabaseUnavailable):
            raise
        except CantGoOn as error:
            return error.end
        except Exception:
            log.exception("detached_run_failed", run=active.run_id)
            return FAULT
        return None

    async def _attempt(self, active: ActiveRun) -> bool:
        """Return whether another attempt follows."""
        attempt = await self._persistently(lambda: self._reader.next(active.run_id))
        started = active.started = await self._prepared(attempt)
        writer = StepWriter(
            self._database,
            self._runs,
            self._under_way,
            self._stored,
            active.run_id,
            durable=started,
            logged=attempt.logged,
        )
        try:
            await self._persistently(lambda: self._hand_over(attempt, started))
            inner = InnerPlaces.after(attempt.request.plan, attempt.logged)
            with self._feeds.following(active.run_id, attempt.follower) as fed:
                outcome = await follow(active, started, fed, writer, self._under_way.now, inner)
            await writer.stop()
            if outcome.approvals:
                return await self._suspend(outcome, attempt, writer)
            if outcome.end.state == "crashed":
                await self._requeue(active.run_id, counted=not self.stopping, writer=writer)
                return not self.stopping
            await self._ends.record(RunEnd(outcome, attempt.follower, writer, attempt.plan))
            return False
        finally:
            active.lost()
            await writer.abandon()
            await started.close()

    async def _suspend(self, outcome: RunOutcome, attempt: Attempt, writer: StepWriter) -> bool:
        """Return whether another attempt follows immediately."""
        suspension = Suspension(outcome, attempt.plan, attempt.follower, writer)
        row = await self._persistently(lambda: self._suspensions.record(suspension))
        if row.cancel_requested_by is not None:
            await self.end(row.id, cancelled(row.cancel_requested_by))
            return False
        return row.state == "queued" and not self.stopping

    async def _prepared(self, attempt: Attempt) -> StartedRun:
        """Prepare the run; raises CantGoOn if the engine refuses it."""
        while True:
            try:
                return await self._engine_start.prepare(attempt.request)
            except EngineNotReady as error:
                log.info("run_waits", run=attempt.request.run_id, reason=error.sentence)
            except BadRequest as error:
                raise CantGoOn(RunFinished("error", error=error.sentence)) from error

    async def _hand_over(self, attempt: Attempt, started: StartedRun) -> None:
        run_id = attempt.request.run_id
        async with self._database.write(background=True) as transaction:
            await self._under_way.hand_over(
                transaction, run_id, started.flow_run_id, started.flow_run_url
            )
            if attempt.request.suspended:
                await self._stored.hand_over(transaction, run_id)

    async def _requeue(
        self, run_id: str, *, counted: bool, writer: StepWriter | None = None
    ) -> None:
        """Put the run back into the queue, together with what is not written yet."""

        async def write() -> None:
            async with self._database.write(background=True) as transaction:
                await self._under_way.requeue(transaction, run_id, counted=counted)
                if writer is not None:
                    await writer.write_rest(transaction, completed=False)

        await self._persistently(write)

    async def _persistently(self, work: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await work()
            except DatabaseUnavailable:
                await asyncio.sleep(RETRY_SECONDS)
