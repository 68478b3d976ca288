"""Running agents: answered at the end, or followed as it goes on."""

import asyncio
from collections.abc import AsyncGenerator

import structlog

from promptops_flows.engine_client import RunEvent
from promptops_platform.agents.conversations import ConversationService, TakenConversation
from promptops_platform.agents.planning import AgentPlan
from promptops_platform.agents.results import AgentFailure, AgentResult
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import PlatformError, StepFailed
from promptops_platform.http.error_answers import fault_body
from promptops_platform.http.event_stream import ServerEvent
from promptops_platform.runs.executor import RunExecutor, RunFollower, RunOutcome
from promptops_platform.runs.run_stream import RunStream

log = structlog.get_logger(__name__)


class AgentRuns:
    """Takes planned runs through the engine, each with its conversation."""

    def __init__(self, *, executor: RunExecutor, conversations: ConversationService) -> None:
        self._executor = executor
        self._conversations = conversations

    async def run(self, plan: AgentPlan) -> AgentResult:
        """Run to the end; raises StepFailed with the trace, Conflict where another run has the
        conversation, and EngineNotReady."""
        return _result(plan, await self._run(plan, None))

    async def follow(self, plan: AgentPlan, request_id: str) -> AsyncGenerator[ServerEvent, None]:
        """Events of a run that goes: what `RunStream` has, then `usage` and `result`, or `error`.

        Raises as `run` does where the run can't start. It goes on when the events are closed.
        """
        stream = RunStream()
        running = asyncio.create_task(self._run(plan, stream))
        starting = asyncio.create_task(stream.started.wait())
        await asyncio.wait([running, starting], return_when=asyncio.FIRST_COMPLETED)
        starting.cancel()
        if not stream.started.is_set():
            running.result()
        running.add_done_callback(lambda done: _ended(done, stream))
        return _events(plan, stream, running, request_id)

    async def _run(self, plan: AgentPlan, stream: RunStream | None) -> RunOutcome:
        taken = None
        if plan.conversation is not None:
            taken = TakenConversation(self._conversations, plan.conversation, plan.request.run_id)
        return await self._executor.run(
            plan.request,
            workspace_id=plan.workspace_id,
            caller_id=plan.caller_id,
            user=plan.user,
            scope=plan.scope,
            inputs=plan.inputs,
            follower=_Follower(taken, stream),
        )


class _Follower(RunFollower):
    """The conversation of a run and who listens to it, where there are such."""

    def __init__(self, conversation: TakenConversation | None, stream: RunStream | None) -> None:
        self._conversation = conversation
        self._stream = stream

    async def open(self, transaction: Transaction) -> None:
        if self._conversation is not None:
            await self._conversation.open(transaction)

    def opened(self, outcome: RunOutcome) -> None:
        if self._stream is not None:
            self._stream.opened(outcome)

    def happened(self, event: RunEvent) -> None:
        if self._stream is not None:
            self._stream.happened(event)

    async def close(self, transaction: Transaction, outcome: RunOutcome) -> None:
        if self._conversation is not None:
            await self._conversation.close(transaction, outcome)


def _result(plan: AgentPlan, outcome: RunOutcome) -> AgentResult:
    if outcome.end.status == "error":
        fields = AgentFailure.of(plan, outcome).model_dump(mode="json")
        raise StepFailed(outcome.end.error or "the run failed", fields=fields)
    return AgentResult.of(plan, outcome)


def _ended(running: asyncio.Task[RunOutcome], stream: RunStream) -> None:
    # Asked for, so that nobody warns of it where the client has gone.
    if not running.cancelled():
        running.exception()
    stream.end()


async def _events(
    plan: AgentPlan, stream: RunStream, running: asyncio.Task[RunOutcome], request_id: str
) -> AsyncGenerator[ServerEvent, None]:
    async for event in stream.events():
        yield event
    try:
        result = _result(plan, running.result())
    except PlatformError as error:
        yield ServerEvent("error", error.body())
    except Exception:
        log.exception("stream_failed", request_id=request_id)
        yield ServerEvent("error", fault_body(request_id))
    else:
        answer = result.model_dump(mode="json")
        yield ServerEvent("usage", answer["usage"])
        yield ServerEvent("result", answer)
