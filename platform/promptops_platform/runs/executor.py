"""Takes a run through the engine and keeps the run log up to date on the way."""

import asyncio
import dataclasses
import math
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from promptops_flows.engine_client import (
    EngineClient,
    EngineLost,
    EngineRefused,
    EngineUnavailable,
    RunEvent,
    RunFinished,
    RunRequest,
    StartedRun,
    StepFinished,
)
from promptops_flows.tracing import current_traceparent
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import BadRequest, DatabaseUnavailable, EngineNotReady
from promptops_platform.http.loop_share import leave_loop_share
from promptops_platform.runs.places import Places
from promptops_platform.runs.service import NewRun, RunLog
from promptops_platform.runs.start_patience import StartPatience
from promptops_platform.supervision.start_work import StartWork
from promptops_providers.redaction import Redactor
from promptops_providers.storable_texts import storable_json

log = structlog.get_logger(__name__)

START_RETRY_SECONDS = 0.2
# After so long it is asked whether the start makes progress.
LOOK_SECONDS = 1.0
# For an engine that says only at the end of the wait that it is ready.
LEAST_START_SECONDS = 2.0
CLOSE_RETRY_SECONDS = 2.0
# What an overdue run gets to record its end.
CUT_OFF_SECONDS = 3.0
RETRY_AFTER_STOP_SECONDS = 5
NOT_STARTED = "the run was not started: the platform is stopping; try again"
FAULT = RunFinished(status="error", error="the platform failed to follow the run; see its log")
LOST = RunFinished(status="error", error="the run engine ended before the run did")
CUT_OFF = RunFinished(status="error", error="the platform was stopped before the run ended")


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run went; `steps` are those that finished, in the order in which they did."""

    run_id: str
    flow_run_id: str
    flow_run_url: str | None
    end: RunFinished
    steps: list[StepFinished] = field(default_factory=list)


class RunFollower:
    """What else happens along with a run; this one does nothing."""

    async def open(self, transaction: Transaction) -> None:
        """Inside the transaction that opens the run, before anything was executed; what it raises
        refuses the run."""

    def opened(self, outcome: RunOutcome) -> None:
        """The run goes; of `outcome` only its names are known."""

    def happened(self, event: RunEvent) -> None:
        """As it happens; the run does not wait."""

    async def close(self, transaction: Transaction, outcome: RunOutcome) -> None:
        """Inside the transaction that closes the run, before the run itself; may be repeated where
        that one could not be committed."""


class RunExecutor:
    """Runs definitions. A run goes on when its caller hangs up."""

    def __init__(
        self,
        *,
        database: Database,
        engine: EngineClient,
        runs: RunLog,
        places: Places,
        wait_seconds: float,
        start_work: StartWork,
    ) -> None:
        self._start_work = start_work
        self._places = places
        self._database = database
        self._engine = engine
        self._runs = runs
        self._wait_seconds = wait_seconds
        self._active: set[asyncio.Task[RunOutcome]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._started: dict[str, StartedRun] = {}
        self._cut_off = False
        self._stopping = False

    @property
    def in_flight(self) -> int:
        """How many runs have not ended."""
        return len(self._active)

    async def run(
        self,
        request: RunRequest,
        *,
        workspace_id: str,
        caller_id: str,
        user: str = "",
        scope: str | None = None,
        inputs: dict[str, Any] | None = None,
        follower: RunFollower | None = None,
    ) -> RunOutcome:
        """Run to the end, also when the caller is cancelled meanwhile. The log names `user` and the
        `scope`, and keeps `inputs`, by default the variables and the definition's version.

        Raises, with nothing recorded, TooManyRequests when `caller_id` or the workspace has too
        many runs, and EngineNotReady when the engine could not take the run within the configured
        wait.
        """
        new = NewRun(
            id=request.run_id,
            workspace_id=workspace_id,
            source=request.source,
            ref_key=request.key,
            user=user,
            scope=scope,
            inputs=Redactor(request.secrets).within(
                inputs or {"variables": request.variables, "version": request.version}
            ),
        )
        request = replace(request, traceparent=current_traceparent(), texts=self._runs.text_policy)
        leave_loop_share()
        await self._places.take(caller_id, workspace_id)
        if self._stopping:
            self._places.release(caller_id, workspace_id)
            raise EngineNotReady(NOT_STARTED, retry_after=RETRY_AFTER_STOP_SECONDS)
        running = self._run(request, new, follower or RunFollower())
        task = asyncio.create_task(running, name=request.run_id)
        self._active.add(task)
        task.add_done_callback(self._active.discard)
        task.add_done_callback(lambda _: self._places.release(caller_id, workspace_id))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                raise
            raise EngineNotReady(NOT_STARTED, retry_after=RETRY_AFTER_STOP_SECONDS) from None

    async def drain(self, seconds: float) -> None:
        """Wait for the active runs and for ends that are not written yet, at most `seconds`.

        Runs that take longer are recorded, and answered, as cut off. Those that wait for the
        engine to take them are not waited for: it is stopping as well.
        """
        self._stopping = True
        for task in self._active:
            if task.get_name() not in self._started:
                task.cancel()
        waiting = {*self._active, *self._closing}
        if waiting:
            log.info("runs_draining", runs=len(waiting))
            _, late = await asyncio.wait(waiting, timeout=seconds)
            if late:
                await self._cut(late)

    async def _cut(self, late: set[asyncio.Task[Any]]) -> None:
        """End what is under way; a run that has started learns it as the end of its connection,
        so that it still records its end, whatever it is at."""
        log.warning("runs_cut_off", runs=len(late))
        self._cut_off = True
        for task in late:
            started = self._started.get(task.get_name())
            if started is None:
                task.cancel()
            else:
                await started.close()
        await asyncio.wait(late, timeout=CUT_OFF_SECONDS)

    async def _run(self, request: RunRequest, new: NewRun, follower: RunFollower) -> RunOutcome:
        started = await self._start(request)
        self._started[request.run_id] = started
        try:
            await self._open(new, started, follower)
            try:
                outcome, unwritten = await self._follow(request, started, follower)
            except Exception:
                # A fault of ours: the caller gets a 500, and the log must not say "running".
                await self._close(_outcome(request, started, FAULT), [], follower)
                raise
            await self._close(outcome, unwritten, follower)
            return outcome
        finally:
            del self._started[request.run_id]
            await started.close()

    async def _start(self, request: RunRequest) -> StartedRun:
        """Have the run prepared, waiting for an engine that is not ready yet."""
        clock = asyncio.get_running_loop().time
        patience = StartPatience(self._wait_seconds, self._start_work, clock)
        while True:
            try:
                await self._engine.wait_ready(min(patience.left(), LOOK_SECONDS))
                left = max(patience.left(), LEAST_START_SECONDS)
                started = await self._engine.start(request, left)
            except EngineRefused as error:
                raise BadRequest(error.reason) from error
            except EngineUnavailable as error:
                if not patience.left():
                    raise EngineNotReady(
                        f"the run was not started: {error.reason}; try again",
                        retry_after=math.ceil(min(self._wait_seconds, 10)),
                    ) from error
                await asyncio.sleep(START_RETRY_SECONDS)
            else:
                self._start_work.finished()
                return started

    async def _open(self, new: NewRun, started: StartedRun, follower: RunFollower) -> None:
        run = replace(new, flow_run_id=started.flow_run_id, flow_run_url=started.flow_run_url)
        async with self._database.write(background=True) as transaction:
            await self._runs.open(transaction, run)
            await follower.open(transaction)

    async def _follow(
        self, request: RunRequest, started: StartedRun, follower: RunFollower
    ) -> tuple[RunOutcome, list[StepFinished]]:
        """What happened, and the steps that the database did not take when they ended."""
        outcome = _outcome(request, started, LOST)
        unwritten: list[StepFinished] = []
        follower.opened(outcome)
        try:
            await started.go()
            async for each in started.events():
                event = _plain(each)
                follower.happened(event)
                if isinstance(event, StepFinished):
                    outcome.steps.append(event)
                    if not await self._wrote(request.run_id, event):
                        unwritten.append(event)
                elif isinstance(event, RunFinished):
                    outcome = replace(outcome, end=event)
        except EngineLost as error:
            log.warning("run_lost", run=request.run_id, reason=error.reason)
            lost = RunFinished(status="error", error=error.reason)
            outcome = replace(outcome, end=CUT_OFF if self._cut_off else lost)
        return outcome, unwritten

    async def _wrote(self, run_id: str, step: StepFinished) -> bool:
        try:
            async with self._database.write(background=True) as transaction:
                await self._runs.add_step(transaction, run_id, step)
        except DatabaseUnavailable:
            return False
        return True

    async def _close(
        self, outcome: RunOutcome, unwritten: list[StepFinished], follower: RunFollower
    ) -> None:
        """Record the end. Where the database can't take it, the caller is told so, and the end is
        tried again until it stands or the platform ends."""
        try:
            await self._write_end(outcome, unwritten, follower)
        except DatabaseUnavailable:
            retry = asyncio.create_task(self._close_later(outcome, unwritten, follower))
            self._closing.add(retry)
            retry.add_done_callback(self._closing.discard)
            raise

    async def _close_later(
        self, outcome: RunOutcome, unwritten: list[StepFinished], follower: RunFollower
    ) -> None:
        while True:
            await asyncio.sleep(CLOSE_RETRY_SECONDS)
            try:
                await self._write_end(outcome, unwritten, follower)
            except DatabaseUnavailable:
                continue
            return

    async def _write_end(
        self, outcome: RunOutcome, unwritten: list[StepFinished], follower: RunFollower
    ) -> None:
        async with self._database.write(background=True) as transaction:
            # First, as a deletion of the workspace takes the rows in this order.
            await follower.close(transaction, outcome)
            for step in unwritten:
                await self._runs.add_step(transaction, outcome.run_id, step)
            await self._runs.close(transaction, outcome.run_id, outcome.end)


def _outcome(request: RunRequest, started: StartedRun, end: RunFinished) -> RunOutcome:
    return RunOutcome(request.run_id, started.flow_run_id, started.flow_run_url, end)


def _plain(event: RunEvent) -> RunEvent:
    """The event with texts that can be stored and sent: a model may answer half a character."""
    fields = {item.name: getattr(event, item.name) for item in dataclasses.fields(event)}
    return replace(event, **storable_json(fields))
