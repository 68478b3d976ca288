"""A run engine without Prefect, whose steps end when the test says so, and which can be killed.

It implements the engine's protocol on a socket and executes the steps of a list one after the
other: it counts them, and their output names them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from promptops_flows.protocol.deployment_messages import NextTimes, Times
from promptops_flows.protocol.engine_protocol import (
    Began,
    Cancel,
    CheckpointStored,
    Go,
    Message,
    Ping,
    Ready,
    RunFinished,
    Started,
    StepCheckpoint,
    StepFinished,
    StepStarted,
    Unavailable,
    Watch,
    Watching,
    decode,
    encode,
)
from promptops_flows.protocol.run_request import Checkpoint, RunRequest
from promptops_flows.protocol.suspension_messages import (
    ApprovalAsked,
    EndSuspended,
    RunSuspended,
    SuspendedEnded,
)
from promptops_flows.steps.approval import Approval
from promptops_flows.steps.context import StepOutput
from promptops_flows.steps.plans import AgentPlan, WorkflowPlan
from promptops_flows.steps.workflow import RunWorkflow
from promptops_platform.ids import new_id

STARTED_AT = "2030-01-01T00:00:00+00:00"
Hold = Callable[[str, int], bool]
START = -1
# What each agent says.
ANSWER = "an answer"
TURN = {"role": "assistant", "content": ANSWER}


class FakeEngine:
    """`executed` counts the steps by run and place; `requests` are the received runs.

    A step for which `hold` returns true stays in progress, and is listed in `held`, until
    `release`; the place 0 is the end of the run, and `START` the time before its first step. A step
    whose place or name is in `failing` fails; one that runs a workflow has one inner step. At an
    approval the run is suspended; `ended` are the suspended flow runs that were cancelled, with
    their messages. Agents answer ANSWER. All other requests are in `questions`, and get no reply
    while `holds_questions` is set; `times` are those of every timetable, unavailable while None.
    """

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.executed: Counter[tuple[str, int]] = Counter()
        self.requests: list[RunRequest] = []
        self.failing: set[int | str] = set()
        self.ended: list[tuple[str, str]] = []
        self.questions: list[Message] = []
        self.holds_questions = False
        self.times: tuple[str, ...] | None = None
        self.hold: Hold = lambda _run, _place: False
        self.held: set[tuple[str, int]] = set()
        self._released = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.socket)

    async def kill(self) -> None:
        """Stop at once, with all runs."""
        assert self._server is not None
        self._server.close()
        self.socket.unlink(missing_ok=True)
        for session in list(self._sessions):
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        self.held.clear()

    def release(self) -> None:
        """Let the held steps end, and hold no more."""
        self.hold = lambda _run, _place: False
        self.holds_questions = False
        self._released.set()
        self._released = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._sessions.add(task)
        try:
            await _Session(self, reader, writer).run()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            return
        finally:
            self._sessions.discard(task)
            writer.close()

    async def question(self, message: Message) -> None:
        """Return when it may be answered."""
        self.questions.append(message)
        if self.holds_questions:
            await self._released.wait()

    async def execute(self, run_id: str, place: int) -> None:
        """Execute one step, or wait before the first or after the last one."""
        if place > 0:
            self.executed[run_id, place] += 1
        if self.hold(run_id, place):
            self.held.add((run_id, place))
            released = self._released
            await released.wait()
            self.held.discard((run_id, place))


class _Session:
    def __init__(
        self, engine: FakeEngine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._engine = engine
        self._reader = reader
        self._writer = writer
        self._stored: dict[int, asyncio.Event] = {}

    async def run(self) -> None:
        while isinstance(message := await self._receive(), Ping):
            self._send(Ready())
        if isinstance(message, Watch):
            self._send(Watching())
            await self._reader.read()
            return
        if isinstance(message, EndSuspended):
            self._engine.ended.append((message.flow_run_id, message.message))
            self._send(SuspendedEnded())
            await self._writer.drain()
            return
        if not isinstance(message, RunRequest):
            await self._engine.question(message)
            self._send(self._reply(message))
            await self._writer.drain()
            return
        self._engine.requests.append(message)
        await self._engine.execute(message.run_id, START)
        self._send(Started(message.flow_run_id or f"flow-{new_id()[:20]}", None))
        assert isinstance(await self._receive(), Go)
        executing = asyncio.create_task(self._execute(message))
        hearing = asyncio.create_task(self._hear())
        try:
            await asyncio.wait([executing, hearing], return_when=asyncio.FIRST_COMPLETED)
            if executing.done():
                self._send(executing.result())
            elif (by := hearing.result()) is not None:
                error = f"the run was cancelled by {by}"
                self._send(RunFinished("error", error=error, state="cancelled", cancelled_by=by))
            await self._writer.drain()
        finally:
            executing.cancel()
            hearing.cancel()

    def _reply(self, message: Message) -> Message:
        if isinstance(message, NextTimes) and self._engine.times is not None:
            return Times((self._engine.times,) * len(message.timetables))
        return Unavailable("there is no Prefect behind this engine")

    async def _hear(self) -> str | None:
        """Who cancels the run; None if the platform is gone."""
        try:
            while True:
                message = await self._receive()
                if isinstance(message, Cancel):
                    return message.by
                assert isinstance(message, CheckpointStored)
                self._stored[message.index].set()
        except (asyncio.IncompleteReadError, OSError):
            return None

    async def _execute(self, request: RunRequest) -> RunFinished | RunSuspended:
        self._send(Began())
        if isinstance(request.plan, AgentPlan):
            return RunFinished("ok", output=ANSWER, agent={"turns": [TURN]})
        assert isinstance(request.plan, WorkflowPlan)
        kept = {checkpoint.index: checkpoint for checkpoint in request.checkpoints}
        text = ""
        for index, step in enumerate(request.plan.steps, 1):
            if index in kept:
                text = kept[index].output.text
                if kept[index].output.failed:
                    error = f"step {index} ({step.name}): {text}"
                    return RunFinished("error", error=error)
                self._send(_finished(index, step.name, step.type, text, reused=True))
                continue
            if isinstance(step.action, Approval):
                await self._engine.execute(request.run_id, index)
                asked = ApprovalAsked(index, step.name, f"{step.action.message} {text}")
                return RunSuspended((asked,))
            self._send(StepStarted(index, step.name, step.type, STARTED_AT))
            if isinstance(step.action, RunWorkflow):
                self._send(_inner(len(request.plan.steps) + index, f"{step.name} / inner", index))
            await self._engine.execute(request.run_id, index)
            if index in self._engine.failing or step.name in self._engine.failing:
                error = f"step {index} ({step.name}): it failed"
                self._send(_failed(index, step.name, step.type, error))
                return RunFinished("error", error=error)
            text = f"{text}{step.name} "
            self._stored[index] = asyncio.Event()
            self._send(StepCheckpoint(Checkpoint(index, step.name, step.type, StepOutput(text))))
            self._send(_finished(index, step.name, step.type, text))
            if request.durable:
                await self._stored[index].wait()
        await self._engine.execute(request.run_id, 0)
        return RunFinished("ok", output=text)

    async def _receive(self) -> Message:
        return decode(await self._reader.readuntil(b"\n"))

    def _send(self, message: Message) -> None:
        self._writer.write(encode(message))


def _finished(index: int, name: str, kind: str, text: str, *, reused: bool = False) -> StepFinished:
    state = "Cached" if reused else "Completed"
    return StepFinished(index, name, kind, state, STARTED_AT, 1, 1, output=text, reused=reused)


def _inner(index: int, name: str, outer: int) -> StepFinished:
    return replace(_finished(index, name, "render", name), outer=outer)


def _failed(index: int, name: str, kind: str, error: str) -> StepFinished:
    return StepFinished(index, name, kind, "Failed", STARTED_AT, 1, 1, error=error)


@asynccontextmanager
async def fake_engine(socket: Path) -> AsyncIterator[FakeEngine]:
    """An engine at that socket until the block ends."""
    engine = FakeEngine(socket)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.kill()
