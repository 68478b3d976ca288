"""Takes runs from a work pool, executes them, and reports their events to the platform."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from promptops_flows.engine.flow_runs import FlowRuns, PreparedRun
from promptops_flows.engine.host import EngineReadiness
from promptops_flows.engine.logs import log
from promptops_flows.engine.prefect_gate import PREFECT_ERRORS
from promptops_flows.engine.runs import RunRefusedError, RunUnavailableError
from promptops_flows.processes.waiting import end_tasks, happens_within
from promptops_flows.protocol.engine_protocol import RunFinished
from promptops_flows.protocol.suspension_messages import RunSuspended
from promptops_flows.worker.platform_client import (
    ClaimedRun,
    PlatformClient,
    PlatformUnavailable,
    RunLost,
    RunNotRetried,
    RunState,
    WorkerRefused,
)
from promptops_flows.worker.pool import WorkPool
from promptops_flows.worker.run_reports import ReportListeners, RunReports
from promptops_flows.worker.skipped_flow_runs import SkippedFlowRuns

POLL_SECONDS = 0.5
ANNOUNCE_SECONDS = 10.0
BEAT_SECONDS = 5.0
# How many more flow runs than free places are requested, since another worker may be faster.
SPARE = 8
LEAVE_SECONDS = 5.0


class WorkerRun:
    """One run that this worker executes."""

    def __init__(self, client: PlatformClient, runs: FlowRuns, claimed: ClaimedRun) -> None:
        self.run_id = claimed.request.run_id
        self.flow_run_id = claimed.request.flow_run_id or ""
        self.attempt = claimed.attempt
        self._client = client
        self._runs = runs
        self._request = claimed.request
        self._prepared: PreparedRun | None = None
        self._is_left = False
        self._reports = RunReports(
            client, claimed, ReportListeners(self._stored, self.cancel, self._lost)
        )

    async def execute(self) -> None:
        """Execute the run until it ends, is lost, or is handed back."""
        sending = asyncio.create_task(self._reports.send_all())
        try:
            end = await self._end()
            if end is None or self._is_left:
                self._reports.stop()
            else:
                self._reports.add(end)
            await sending
        finally:
            await end_tasks(sending)

    async def hand_back(self) -> None:
        """Stop the run and release it for another worker."""
        self.leave()
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._client.hand_back(self.run_id, self.attempt)
        except (PlatformUnavailable, RunLost, WorkerRefused, TimeoutError) as error:
            log(logging.WARNING, "worker.not_handed_back", run_id=self.run_id, reason=str(error))

    def leave(self) -> None:
        """Stop the run without further reports."""
        self._is_left = True
        self._reports.stop()
        if self._prepared is not None:
            self._runs.abandon(self._prepared)

    def cancel(self, by: str) -> None:
        """Cancel the run on behalf of `by`."""
        if self._prepared is not None:
            self._runs.cancel(self._prepared, by)

    async def _end(self) -> RunFinished | RunSuspended | None:
        """The result of the run, or what it waits for; None if it was handed back."""
        while True:
            try:
                self._prepared = await self._runs.prepare(self._request, self._reports.add)
                break
            except RunRefusedError as error:
                return RunFinished("error", error=str(error))
            except RunUnavailableError as error:
                log(logging.WARNING, "worker.run_waits", run_id=self.run_id, reason=str(error))
                if self._is_left:
                    return None
                await asyncio.sleep(POLL_SECONDS)
        if self._is_left:
            self._runs.abandon(self._prepared)
        end = await self._runs.execute(self._prepared)
        if isinstance(end, RunSuspended):
            # Otherwise a late report could arrive after another worker has the flow run.
            await self._runs.reported(self._prepared)
        return end

    def _stored(self, index: int) -> None:
        if self._prepared is not None:
            self._runs.checkpoint_stored(self._prepared, index)

    def _lost(self, reason: str) -> None:
        if not self._is_left:
            log(logging.WARNING, "worker.run_lost", run_id=self.run_id, reason=reason)
            self.leave()


class Worker:
    """At most `concurrency` runs at a time."""

    def __init__(
        self,
        client: PlatformClient,
        runs: FlowRuns,
        readiness: EngineReadiness,
        pool: WorkPool,
        concurrency: int,
    ) -> None:
        self._client = client
        self._runs = runs
        self._readiness = readiness
        self._pool = pool
        self._concurrency = concurrency
        self._active: dict[str, WorkerRun] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._skipped = SkippedFlowRuns()
        self._has_room = asyncio.Event()
        self.refused: str | None = None

    async def work(self, stop: asyncio.Event, drain_seconds: float) -> None:
        """Take runs until `stop`, or until the platform refuses this worker, which sets `refused`.
        Running runs have `drain_seconds` to end and are then given to other workers."""
        beating = asyncio.create_task(self._forever(self._heartbeat, BEAT_SECONDS, stop))
        announcing = asyncio.create_task(self._forever(self._pool.announce, ANNOUNCE_SECONDS, stop))
        await self._poll(stop)
        if self.refused is None:
            await self._drain(drain_seconds)
        else:
            for run in self._active.values():
                run.leave()
        await end_tasks(announcing)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LEAVE_SECONDS)
        await end_tasks(beating)
        await self._leave()

    async def execute_one(self, flow_run_id: str, stop: asyncio.Event) -> None:
        """Execute only that flow run; raises `RunLost`."""
        while (claimed := await self._claimed(flow_run_id)) is None:
            if stop.is_set() or await happens_within(stop, POLL_SECONDS):
                return
        self._begin(claimed)
        beating = asyncio.create_task(self._forever(self._heartbeat, BEAT_SECONDS, asyncio.Event()))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([*self._tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        await self._drain(0.0)
        await end_tasks(beating, stopping)
        await self._leave()

    async def _poll(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._has_room.clear()
            room = self._concurrency - len(self._active)
            if room > 0 and self._readiness.reason is None:
                try:
                    await self._take(room)
                except (*PREFECT_ERRORS, ValueError) as error:
                    log(logging.WARNING, "worker.poll_failed", error=type(error).__name__)
                except WorkerRefused as error:
                    self._refuse(error, stop)
            if len(self._active) < self._concurrency:
                await happens_within(stop, POLL_SECONDS)
            else:
                await _first_of(stop.wait(), self._has_room.wait())

    async def _take(self, room: int) -> None:
        now = asyncio.get_running_loop().time()
        due = await self._pool.due(room + SPARE + self._skipped.count(now))
        for flow_run in due:
            if len(self._active) >= self._concurrency:
                return
            if self._skipped.has(flow_run.id, now):
                continue
            self._skipped.add(flow_run.id, now)
            try:
                claimed = await self._claimed(flow_run.id, is_retry=flow_run.is_retry)
            except RunNotRetried as error:
                await self._pool.not_retried(flow_run.id, str(error))
                continue
            except RunLost:
                continue
            if claimed is None:
                self._skipped.forget(flow_run.id)
                return
            self._begin(claimed)

    async def _claimed(self, flow_run_id: str, *, is_retry: bool = False) -> ClaimedRun | None:
        """None while the platform is away; raises `RunLost` and `WorkerRefused`."""
        try:
            return await self._client.claim(flow_run_id, is_retry=is_retry)
        except PlatformUnavailable as error:
            log(logging.WARNING, "worker.claim_waits", reason=str(error))
            return None

    def _begin(self, claimed: ClaimedRun) -> None:
        run = WorkerRun(self._client, self._runs, claimed)
        earlier = self._active.get(run.run_id)
        if earlier is not None:
            # The run was lost while this worker was disconnected, and has come back.
            earlier.leave()
        self._active[run.run_id] = run
        task = asyncio.create_task(self._execute(run), name=run.run_id)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _execute(self, run: WorkerRun) -> None:
        try:
            await run.execute()
        except Exception:
            logging.getLogger("promptops.engine").exception("worker.run_failed")
            await run.hand_back()
        finally:
            if self._active.get(run.run_id) is run:
                del self._active[run.run_id]
            self._skipped.forget(run.flow_run_id)
            self._has_room.set()

    async def _heartbeat(self) -> None:
        running = {run.run_id: run.attempt for run in self._active.values()}
        self._apply_states(await self._client.heartbeat(running))

    def _apply_states(self, states: Iterable[RunState]) -> None:
        for state in states:
            run = self._active.get(state.run_id)
            if run is None or run.attempt != state.attempt:
                continue
            if state.is_lost:
                log(logging.WARNING, "worker.run_lost", run_id=run.run_id)
                run.leave()
            elif state.cancelled_by is not None:
                run.cancel(state.cancelled_by)

    async def _forever(
        self, work: Callable[[], Awaitable[None]], seconds: float, stop: asyncio.Event
    ) -> None:
        while True:
            try:
                await work()
            except PlatformUnavailable as error:
                log(logging.WARNING, "worker.platform_away", reason=str(error))
            except (*PREFECT_ERRORS, ValueError) as error:
                log(logging.WARNING, "worker.prefect_away", error=type(error).__name__)
            except WorkerRefused as error:
                self._refuse(error, stop)
                return
            await asyncio.sleep(seconds)

    def _refuse(self, error: WorkerRefused, stop: asyncio.Event) -> None:
        self.refused = str(error)
        stop.set()

    async def _drain(self, seconds: float) -> None:
        if self._tasks:
            log(logging.INFO, "worker.draining", runs=len(self._tasks))
            await asyncio.wait(self._tasks, timeout=seconds)
        late = list(self._active.values())
        if late:
            log(logging.WARNING, "worker.handing_back", runs=len(late))
            await asyncio.gather(*(run.hand_back() for run in late))

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._client.leave()
        except (PlatformUnavailable, WorkerRefused, RunLost, TimeoutError):
            return  # the platform gives its runs to other workers after a while


async def _first_of(*waits: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end_tasks(*tasks)
