"""Runs workflows: to the result, followed step by step, or in the background."""

from collections.abc import AsyncGenerator
from functools import partial

from promptops_platform.access.actor import Actor
from promptops_platform.errors import StepFailed
from promptops_platform.execution.detached import Also, DetachedRuns
from promptops_platform.execution.executor import RunExecutor
from promptops_platform.execution.followers import RunFollower, RunOutcome
from promptops_platform.execution.idempotency import RunKey
from promptops_platform.execution.order import OrderChange
from promptops_platform.execution.run_stream import (
    StepStream,
    StreamFollower,
    follow_run,
    goes_on,
    waiting,
)
from promptops_platform.execution.schemas import StartedRun
from promptops_platform.http.event_stream import ServerEvent
from promptops_platform.runlog.service import RunLog
from promptops_platform.runlog.tables import RunRow
from promptops_platform.workflows.planning import PlannedRun, WorkflowInputs, WorkflowPlanner
from promptops_platform.workflows.schemas import WorkflowResult


class WorkflowRuns:
    """Runs workflows on the engine. No transaction is open during a run."""

    def __init__(
        self,
        *,
        planner: WorkflowPlanner,
        executor: RunExecutor,
        detached: DetachedRuns,
        runs: RunLog,
    ) -> None:
        self._planner = planner
        self._executor = executor
        self._detached = detached
        self._runs = runs

    async def run(
        self,
        workflow_id: str,
        inputs: WorkflowInputs,
        *,
        actor: Actor,
        key: RunKey | None = None,
    ) -> WorkflowResult | StartedRun:
        """Run to the end, or until the run continues in the background, because it waits for people
        or has a work pool; `key` is the request's idempotency key.

        Raises NotFound, Forbidden, BadRequest for a definition that can't run, StepFailed with the
        trace, TooManyRequests and EngineNotReady.
        """
        planned = await self._planner.plan(workflow_id, inputs, actor=actor)
        if planned.order.request.pool is not None:
            return await self._submit(planned, key)
        outcome = await self._executor.run(planned.order, self._follower(planned, key))
        if outcome.waiting_run is not None:
            return StartedRun.of(outcome.waiting_run)
        return self._result(planned, outcome)

    async def submit(
        self,
        workflow_id: str,
        inputs: WorkflowInputs,
        *,
        actor: Actor,
        key: RunKey | None = None,
    ) -> StartedRun:
        """Record a run that continues in the background; `key` is the request's idempotency key.

        Raises NotFound, Forbidden, BadRequest and TooManyRequests.
        """
        planned = await self._planner.plan(workflow_id, inputs, actor=actor)
        return await self._submit(planned, key)

    async def start(
        self,
        workflow_id: str,
        inputs: WorkflowInputs,
        *,
        actor: Actor,
        change: OrderChange,
        also: Also | None = None,
    ) -> RunRow:
        """Record a run that was not started by a request. `change` modifies the planned order,
        `also` writes in the run's transaction.

        Raises NotFound, Forbidden, BadRequest and TooManyRequests.
        """
        planned = await self._planner.plan(workflow_id, inputs, actor=actor)
        return await self._detached.submit(change(planned.order), RunFollower(), also=also)

    async def follow(
        self,
        workflow_id: str,
        inputs: WorkflowInputs,
        request_id: str,
        *,
        actor: Actor,
        key: RunKey | None = None,
    ) -> AsyncGenerator[ServerEvent, None]:
        """Return the events of a started run: those of `StepStream`, then `result` or `error`, or
        `waiting` if the run continues in the background, because it waits for people or has a work
        pool.

        Raises what `run` raises if the run can't start. The run continues when the events are
        closed.
        """
        planned = await self._planner.plan(workflow_id, inputs, actor=actor)
        if planned.order.request.pool is not None:
            return goes_on(await self._submit(planned, key))
        follower = self._follower(planned, key)

        def last_events(outcome: RunOutcome) -> list[ServerEvent]:
            if outcome.waiting_run is not None:
                return [waiting(StartedRun.of(outcome.waiting_run))]
            answer = self._result(planned, outcome)
            return [ServerEvent("result", answer.model_dump(mode="json"))]

        return await follow_run(
            lambda stream: self._executor.run(planned.order, StreamFollower(follower, stream)),
            StepStream(),
            last_events,
            request_id,
        )

    async def _submit(self, planned: PlannedRun, key: RunKey | None) -> StartedRun:
        also = key.accepting(partial(StartedRun.of, warnings=planned.warnings)) if key else None
        row = await self._detached.submit(planned.order, RunFollower(), also=also)
        return StartedRun.of(row, planned.warnings)

    def _follower(self, planned: PlannedRun, key: RunKey | None) -> RunFollower:
        follower, run_id = RunFollower(), planned.order.request.run_id
        if key is None:
            return follower
        return key.following(run_id, follower, lambda outcome: self._result(planned, outcome))

    def _result(self, planned: PlannedRun, outcome: RunOutcome) -> WorkflowResult:
        result = WorkflowResult.of(outcome, self._runs.cost_of, planned.warnings)
        if outcome.end.status == "error":
            fields = result.model_dump(mode="json", exclude={"output"})
            raise StepFailed(outcome.end.error or "the run failed", fields=fields)
        return result
