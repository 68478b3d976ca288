"""The engine's side of the socket: one connection per run, see `engine_protocol`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from promptops_flows.engine.logs import log
from promptops_flows.engine.retry_watchers import RetryWatchers
from promptops_flows.engine.runs import PreparedT, RunRefusedError, Runs, RunUnavailableError
from promptops_flows.processes.waiting import end_tasks
from promptops_flows.protocol.deployment_messages import (
    DeploymentMessage,
    DeploymentRequest,
    DueEvent,
    FlowRunAnswer,
    TakeDue,
)
from promptops_flows.protocol.engine_protocol import (
    CallsCounted,
    Cancel,
    CheckpointStored,
    CountCalls,
    EngineProtocolError,
    Go,
    Message,
    Ping,
    Ready,
    Refused,
    RetryRefused,
    RunFinished,
    Started,
    Unavailable,
    Watch,
    Watching,
    decode,
    encode,
)
from promptops_flows.protocol.pool_messages import Enqueue, Withdraw, Withdrawn
from promptops_flows.protocol.run_request import RunRequest
from promptops_flows.protocol.suspension_messages import EndSuspended, SuspendedEnded
from promptops_flows.telemetry.call_counts import CallCounts, listed

_STOPPING = "the run engine is stopping"
_STOPPED = "the run engine was stopped before the run ended"
_OUT_OF_TURN = Refused("this message is not expected at this point")
_CANCEL_SECONDS = 5.0
_FLUSH_SECONDS = 30.0
# How long a client may take to disconnect after it got the last message: one that writes to a
# closed connection loses what it hasn't read yet, and a busy machine may be slow to read.
_HANG_UP_SECONDS = 120.0


Part = Literal["engine", "prefect", "threads"]


class Readiness(Protocol):
    @property
    def reason(self) -> str | None:
        """Why no run can be accepted; None if runs are accepted."""

    @property
    def part(self) -> Part:
        """The component that the reason is about."""


class DueOffers(Protocol):
    def taking(
        self, asked: TakeDue, notify: Callable[[DueEvent], None]
    ) -> AbstractContextManager[None]:
        """Inside, `notify` is called with what becomes due."""

    async def answer(self, answer: FlowRunAnswer) -> None:
        """Carry out the platform's decision about a flow run."""


class DeploymentAnswers(Protocol):
    @property
    def due(self) -> DueOffers: ...

    async def answer(self, request: DeploymentRequest) -> DeploymentMessage | Refused | Unavailable:
        """Return the reply; never raises."""


@dataclass(frozen=True, slots=True)
class NotReady:
    reason: str | None
    part: Part = "engine"


class EngineServer:
    """`runs` and `deployments` are None until Prefect has been loaded; `readiness` may be replaced
    then, too. `watchers` are notified of buttons pressed in Prefect."""

    def __init__(self) -> None:
        self.runs: Runs[Any] | None = None
        self.deployments: DeploymentAnswers | None = None
        self.readiness: Readiness = NotReady("the run engine is starting")
        self.counts = CallCounts()
        self.watchers = RetryWatchers()
        self._stopping = False
        self._sessions: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection from its first message to its end."""
        peer = _Peer(reader, writer)
        try:
            while (message := await peer.receive()) is not None:
                if isinstance(message, RunRequest):
                    await self._run_session(message, peer)
                    return
                if isinstance(message, Watch):
                    await self._watch(peer)
                    return
                if isinstance(message, TakeDue):
                    await self._offer_due(message, peer)
                    return
                if isinstance(message, DeploymentRequest):
                    peer.send(await self._deployment_answer(message))
                elif isinstance(message, EndSuspended):
                    peer.send(await self._end_suspended(message))
                elif isinstance(message, Enqueue | Withdraw):
                    peer.send(await self._offered(message))
                else:
                    peer.send(self._answer(message))
        except EngineProtocolError as error:
            log(logging.WARNING, "connection.unreadable", error=str(error))
            peer.send(Refused(f"the run engine can't read this message: {error}"))
        finally:
            await peer.close()

    async def stop(self, drain_seconds: float) -> None:
        """Accept nothing new, and let running runs end by themselves within `drain_seconds`."""
        self._stopping = True
        if self._sessions:
            log(logging.INFO, "engine.draining", runs=len(self._sessions))
            _, late = await asyncio.wait(self._sessions, timeout=drain_seconds)
            for session in late:
                session.cancel()
            if late:
                log(logging.WARNING, "engine.cut_off", runs=len(late))
                await asyncio.wait(late, timeout=_CANCEL_SECONDS)

    async def _watch(self, peer: _Peer) -> None:
        peer.send(Watching())
        with self.watchers.watching(peer.send):
            while isinstance(message := await peer.receive(), RetryRefused):
                self.watchers.refused(message)

    async def _run_session(self, request: RunRequest, peer: _Peer) -> None:
        # asyncio drops its reference to this task when the client disconnects; the run must go on.
        session = asyncio.create_task(self._session(request, peer))
        self._sessions.add(session)
        session.add_done_callback(self._sessions.discard)
        await asyncio.shield(session)

    async def _session(self, request: RunRequest, peer: _Peer) -> None:
        try:
            if self.runs is None or self._unavailable_reason() is not None:
                peer.send(self._status())
                return
            prepared = await self.runs.prepare(request, peer.send)
            await self._prepared(self.runs, prepared, peer)
        except RunRefusedError as error:
            peer.send(Refused(str(error)))
        except RunUnavailableError as error:
            peer.send(Unavailable(str(error)))
        finally:
            await peer.close()

    async def _offered(self, asked: Enqueue | Withdraw) -> Message:
        if self.runs is None or self._unavailable_reason() is not None:
            return self._status()
        try:
            if isinstance(asked, Enqueue):
                return await self.runs.enqueue(asked)
            await self.runs.withdraw(asked)
            return Withdrawn()
        except RunRefusedError as error:
            return Refused(str(error))
        except RunUnavailableError as error:
            return Unavailable(str(error))

    async def _prepared(self, runs: Runs[PreparedT], prepared: PreparedT, peer: _Peer) -> None:
        try:
            peer.send(Started(prepared.flow_run_id, prepared.flow_run_url))
            let_go = isinstance(await peer.receive(), Go)
        except (EngineProtocolError, asyncio.CancelledError):
            await runs.discard(prepared)
            raise
        if not let_go:
            await runs.discard(prepared)
            return
        following = asyncio.create_task(self._follow(runs, prepared, peer))
        try:
            await self._execute(runs, prepared, peer)
            # If the client sent something while the connection closes, it would not read the
            # result.
            await asyncio.wait([following], timeout=_HANG_UP_SECONDS)
        finally:
            await end_tasks(following)

    async def _execute(self, runs: Runs[PreparedT], prepared: PreparedT, peer: _Peer) -> None:
        try:
            peer.send(await runs.execute(prepared))
        except asyncio.CancelledError:
            peer.send(RunFinished("error", error=_STOPPED, state="crashed"))
            raise

    async def _follow(self, runs: Runs[PreparedT], prepared: PreparedT, peer: _Peer) -> None:
        """Handle the client's messages about a running run, until it disconnects."""
        try:
            while (message := await peer.receive()) is not None:
                if isinstance(message, CheckpointStored):
                    runs.checkpoint_stored(prepared, message.index)
                elif isinstance(message, Cancel):
                    runs.cancel(prepared, message.by)
        except EngineProtocolError as error:
            log(logging.WARNING, "connection.unreadable", error=str(error))
        runs.abandon(prepared)

    async def _offer_due(self, asked: TakeDue, peer: _Peer) -> None:
        if self.deployments is None:
            peer.send(self._status())
            return
        due = self.deployments.due
        peer.send(Watching())
        with due.taking(asked, peer.send):
            while (message := await peer.receive()) is not None:
                if isinstance(message, FlowRunAnswer):
                    await due.answer(message)

    async def _deployment_answer(self, request: DeploymentRequest) -> Message:
        if self.deployments is None:
            return self._status()
        return await self.deployments.answer(request)

    async def _end_suspended(self, message: EndSuspended) -> Message:
        if self.runs is None or self._unavailable_reason() is not None:
            return self._status()
        try:
            await self.runs.end_suspended(message.flow_run_id, message.message)
        except RunUnavailableError as error:
            return Unavailable(str(error))
        return SuspendedEnded()

    def _answer(self, message: Message) -> Message:
        if isinstance(message, CountCalls):
            return CallsCounted(listed(self.counts.calls), listed(self.counts.fallbacks))
        return self._status() if isinstance(message, Ping) else _OUT_OF_TURN

    def _unavailable_reason(self) -> str | None:
        return _STOPPING if self._stopping else self.readiness.reason

    def _status(self) -> Message:
        reason = self._unavailable_reason()
        if reason is None:
            return Ready()
        return Unavailable(reason, "engine" if self._stopping else self.readiness.part)


class _Peer:
    """Messages from and to one client, which may disconnect at any time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def receive(self) -> Message | None:
        """The next message, None if the client is gone; raises `EngineProtocolError`."""
        try:
            return decode(await self._reader.readuntil(b"\n"))
        except (OSError, asyncio.IncompleteReadError):
            return None
        except asyncio.LimitOverrunError as error:
            raise EngineProtocolError("a line is too long") from error

    def send(self, message: Message) -> None:
        """Never waits: a slow client must not slow down its run."""
        if not self._writer.is_closing():
            self._writer.write(encode(message))

    async def close(self) -> None:
        """Wait for the messages to reach the client, up to a limit."""
        self._writer.close()
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._writer.wait_closed()
        except OSError:  # also the timeout: nobody reads the rest
            self._writer.transport.abort()
