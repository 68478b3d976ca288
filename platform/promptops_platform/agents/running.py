"""Runs agents: to the answer, or followed while they run."""

from collections.abc import AsyncGenerator

from promptops_platform.access.actor import Actor
from promptops_platform.agents.planning import AgentInputs, AgentPlanner, PlannedRun
from promptops_platform.agents.results import AgentFailure, AgentResult
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import StepFailed
from promptops_platform.execution.detached import Also, DetachedRuns
from promptops_platform.execution.executor import RunExecutor
from promptops_platform.execution.followers import RunFollower, RunOutcome
from promptops_platform.execution.idempotency import RunKey
from promptops_platform.execution.order import OrderChange
from promptops_platform.execution.run_stream import RunStream, StreamFollower, follow_run, goes_on
from promptops_platform.execution.schemas import StartedRun
from promptops_platform.http.event_stream import ServerEvent
from promptops_platform.prompts.json_schemas import check_schemas
from promptops_platform.runlog.tables import RunRow


class AgentRuns:
    """Plans runs and executes them on the engine, each with its conversation. No transaction is
    open during a run."""

    def __init__(
        self,
        *,
        database: Database,
        planner: AgentPlanner,
        executor: RunExecutor,
        detached: DetachedRuns,
    ) -> None:
        self._database = database
        self._planner = planner
        self._executor = executor
        self._detached = detached

    async def run(
        self, agent_id: str, asked: AgentInputs, *, actor: Actor, key: RunKey | None = None
    ) -> AgentResult | StartedRun:
        """Run to the end; a run in a work pool continues in the background. `key` is the request's
        idempotency key.

        Raises NotFound, Forbidden, BadRequest for a run that makes no sense, StepFailed with the
        trace, Conflict if another run has the conversation, TooManyRequests and EngineNotReady.
        """
        plan = await self._plan(agent_id, asked, actor)
        if plan.order.request.pool is not None:
            return await self._submit(plan, key)
        return _result(plan, await self._executor.run(plan.order, self._follower(plan, key)))

    async def submit(
        self, agent_id: str, asked: AgentInputs, *, actor: Actor, key: RunKey | None = None
    ) -> StartedRun:
        """Record a run that continues in the background; `key` is the request's idempotency key.

        Raises NotFound, Forbidden, BadRequest, TooManyRequests, and Conflict if another run has the
        conversation.
        """
        plan = await self._plan(agent_id, asked, actor)
        return await self._submit(plan, key)

    async def start(
        self,
        agent_id: str,
        asked: AgentInputs,
        *,
        actor: Actor,
        change: OrderChange,
        also: Also | None = None,
    ) -> RunRow:
        """Record a run that was not started by a request. `change` modifies the planned order,
        `also` writes in the run's transaction.

        Raises NotFound, Forbidden, BadRequest, TooManyRequests, and Conflict if another run has the
        conversation.
        """
        plan = await self._plan(agent_id, asked, actor)
        return await self._detached.submit(change(plan.order), self._follower(plan), also=also)

    async def follow(
        self,
        agent_id: str,
        asked: AgentInputs,
        request_id: str,
        *,
        actor: Actor,
        key: RunKey | None = None,
    ) -> AsyncGenerator[ServerEvent, None]:
        """Return the events of a run: those of `RunStream`, then `usage` and `result`, or `error`;
        `waiting` if it continues in a work pool.

        Raises what `run` raises if the run can't start. The run continues when the events are
        closed.
        """
        plan = await self._plan(agent_id, asked, actor)
        if plan.order.request.pool is not None:
            return goes_on(await self._submit(plan, key))
        follower = self._follower(plan, key)

        def last_events(outcome: RunOutcome) -> list[ServerEvent]:
            answer = _result(plan, outcome).model_dump(mode="json")
            return [ServerEvent("usage", answer["usage"]), ServerEvent("result", answer)]

        return await follow_run(
            lambda stream: self._executor.run(plan.order, StreamFollower(follower, stream)),
            RunStream(),
            last_events,
            request_id,
        )

    async def _submit(self, plan: PlannedRun, key: RunKey | None) -> StartedRun:
        also = key.accepting(StartedRun.of) if key else None
        row = await self._detached.submit(plan.order, self._follower(plan), also=also)
        return StartedRun.of(row)

    async def _plan(self, agent_id: str, asked: AgentInputs, actor: Actor) -> PlannedRun:
        async with self._database.read() as transaction:
            plan = await self._planner.plan(transaction, agent_id, asked, actor=actor)
        # They may have been saved before the limit existed.
        await check_schemas(plan.schemas)
        return plan

    def _follower(self, plan: PlannedRun, key: RunKey | None = None) -> RunFollower:
        kept = plan.conversation.kept if plan.conversation else None
        run_id = plan.order.request.run_id
        follower = self._planner.follower(run_id, kept)
        if key is None:
            return follower
        return key.following(run_id, follower, lambda outcome: _result(plan, outcome))


def _result(plan: PlannedRun, outcome: RunOutcome) -> AgentResult:
    if outcome.end.status == "error":
        fields = AgentFailure.of(plan, outcome).model_dump(mode="json")
        raise StepFailed(outcome.end.error or "the run failed", fields=fields)
    return AgentResult.of(plan, outcome)
