"""Takes due flow runs, and asks their rooms what to do with them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import structlog

from promptops_flows.processes.waiting import end_tasks
from promptops_flows.protocol.deployment_messages import (
    DeploymentPaused,
    FlowRunAnswer,
    FlowRunDue,
    PrefectReady,
)
from promptops_flows.protocol.engine_client import DueFlowRuns, EngineClient, EngineError
from promptops_platform.db.unit_of_work import Database
from promptops_platform.deployments.claims import AlreadyClaimed, FlowRunClaims
from promptops_platform.deployments.kinds import (
    DeploymentKinds,
    DueAnswer,
    DueRun,
    later,
    refused,
    taken,
)
from promptops_platform.deployments.timers import Timers
from promptops_platform.errors import DatabaseUnavailable, TooManyRequests

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 1.0
FAULT_SECONDS = 10.0
# The limit of concurrent decisions: many schedules have the same time.
AT_ONCE = 8


class DueWatch:
    """`prefect_ready` is called each time Prefect responds after it did not."""

    def __init__(
        self,
        *,
        database: Database,
        engine: EngineClient,
        kinds: DeploymentKinds,
        claims: FlowRunClaims,
        timers: Timers,
        work_pool: str,
        worker: str,
        prefect_ready: Callable[[], Awaitable[None]],
    ) -> None:
        self._database = database
        self._engine = engine
        self._kinds = kinds
        self._claims = claims
        self._timers = timers
        self._work_pool = work_pool
        self._worker = worker
        self._prefect_ready = prefect_ready
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._deciding: dict[str, asyncio.Task[None]] = {}
        self._others: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start taking due flow runs."""
        self._task = asyncio.create_task(self._watch_forever(), name="due-watch")

    async def stop(self) -> None:
        """Stop taking flow runs; undecided ones are reported again after the next start."""
        if self._task is not None:
            await end_tasks(self._task)
            self._task = None
        await end_tasks(*self._deciding.values(), *self._others)

    async def _watch_forever(self) -> None:
        while True:
            try:
                due = await self._engine.take_due(self._work_pool, self._worker)
                try:
                    await self._take(due)
                finally:
                    await due.close()
            except EngineError:
                pass  # it is starting, or has ended
            except Exception:
                log.exception("due_watch_failed")
            await asyncio.sleep(AGAIN_SECONDS)

    async def _take(self, due: DueFlowRuns) -> None:
        async with aclosing(due.events()) as events:
            async for event in events:
                if isinstance(event, FlowRunDue):
                    if event.flow_run_id not in self._deciding:
                        self._decide_in_task(due, event)
                elif isinstance(event, PrefectReady):
                    self._in_task(self._prefect_ready())
                else:
                    self._in_task(self._paused(event))

    def _decide_in_task(self, due: DueFlowRuns, event: FlowRunDue) -> None:
        task = asyncio.create_task(self._answer(due, event), name=f"due-{event.flow_run_id}")
        self._deciding[event.flow_run_id] = task
        task.add_done_callback(lambda _: self._deciding.pop(event.flow_run_id))

    def _in_task(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._others.add(task)
        task.add_done_callback(self._others.discard)

    async def _answer(self, due: DueFlowRuns, event: FlowRunDue) -> None:
        async with self._turns:
            answer = await self.decide(DueRun.of(event))
        try:
            await due.answer(
                FlowRunAnswer(event.flow_run_id, answer.outcome, answer.message, answer.seconds)
            )
        except EngineError:
            return  # it is reported again

    async def decide(self, due: DueRun) -> DueAnswer:
        """Return the decision about a flow run, even if its room raises an error."""
        try:
            return await self._decide(due)
        except AlreadyClaimed:
            return taken()
        except (TooManyRequests, DatabaseUnavailable) as error:
            return later(error.sentence, FAULT_SECONDS)
        except Exception:
            log.exception("due_not_decided", flow_run_id=due.flow_run_id, kind=due.kind)
            return later("PromptOps failed to decide about it; its log says why", FAULT_SECONDS)

    async def _decide(self, due: DueRun) -> DueAnswer:
        if due.kind in self._kinds.timers:
            return await self._timers.fire(due)
        if answer := await self._claimed(due):
            return answer
        handler = self._kinds.handlers.get(due.kind)
        if handler is None:
            return refused("This release of PromptOps does not know what to do with it")
        answer = await handler.due(due)
        if answer.outcome == "taken":
            return answer
        # Another replica may have been faster, and the run that it has started continues.
        return await self._claimed(due) or answer

    async def _claimed(self, due: DueRun) -> DueAnswer | None:
        async with self._database.read() as transaction:
            if not await self._claims.claimed(transaction, [due.flow_run_id]):
                return None
            run_id = await self._claims.unstarted(transaction, due.flow_run_id)
        return refused(f"Run {run_id} has ended before it began") if run_id else taken()

    async def _paused(self, event: DeploymentPaused) -> None:
        handler = self._kinds.handlers.get(event.owner.kind)
        if handler is None:
            return
        try:
            await handler.paused(event.owner.ref, paused=event.paused)
        except Exception:
            log.exception("pause_not_read", kind=event.owner.kind, ref=event.owner.ref)
