"""The platform's client of the run engine: it requests runs, starts them, and receives their
events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

from promptops_flows.protocol.deployment_messages import (
    DeploymentMessage,
    DeploymentRequest,
    DueEvent,
    FlowRunAnswer,
    TakeDue,
)
from promptops_flows.protocol.engine_connection import (
    EngineConnection,
    EngineError,
    EngineLost,
    EngineRefused,
    EngineUnavailable,
)
from promptops_flows.protocol.engine_protocol import (
    MAX_LINE_BYTES,
    Began,
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
    RetryPressed,
    RetryRefused,
    RunEvent,
    RunFinished,
    Started,
    StepCheckpoint,
    StepDelta,
    StepFinished,
    StepStarted,
    Unavailable,
    Watch,
    Watching,
)
from promptops_flows.protocol.pool_messages import Enqueue, Enqueued, Withdraw, Withdrawn
from promptops_flows.protocol.run_request import Checkpoint, RunRequest
from promptops_flows.protocol.suspension_messages import (
    ApprovalAsked,
    CancelPressed,
    EndSuspended,
    RunSuspended,
    SuspendedEnded,
)

__all__ = [
    "ApprovalAsked",
    "Began",
    "CallsCounted",
    "CancelPressed",
    "Checkpoint",
    "DueFlowRuns",
    "EngineClient",
    "EngineError",
    "EngineLost",
    "EngineRefused",
    "EngineUnavailable",
    "EngineWatch",
    "Enqueue",
    "Enqueued",
    "RetryPressed",
    "RunEvent",
    "RunFinished",
    "RunRequest",
    "RunSuspended",
    "StartedRun",
    "StepCheckpoint",
    "StepDelta",
    "StepFinished",
    "StepStarted",
    "Withdraw",
]

_POLL_SECONDS = 0.1
_PING_SECONDS = 2.0
_COUNT_SECONDS = 1.0
_START_SECONDS = 30.0
_DEPLOYMENT_SECONDS = 60.0
_NOT_RUNNING = "the run engine is not running"


class EngineClient:
    """Opens one connection per run; safe for concurrent use by many tasks."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def wait_ready(self, timeout: float) -> None:  # noqa: ASYNC109 - reports why it gave up
        """Return once the engine can accept a run; raises `EngineUnavailable` after `timeout`
        seconds.

        Sends at least one request, even if the timeout is zero.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout
        while True:
            missing = await self.why_not_ready()
            if missing is None:
                return
            if clock() >= deadline:
                raise EngineUnavailable(missing.reason)
            await asyncio.sleep(min(_POLL_SECONDS, max(0.0, deadline - clock())))

    async def calls(self) -> CallsCounted | None:
        """The counts of the engine's model calls since its start; None if it can't be reached."""
        try:
            async with asyncio.timeout(_COUNT_SECONDS):
                connection = await self._connect()
                try:
                    answer = await connection.ask(CountCalls())
                finally:
                    await connection.close()
        except (TimeoutError, EngineUnavailable, EngineLost):
            return None
        return answer if isinstance(answer, CallsCounted) else None

    async def start(
        self,
        request: RunRequest,
        timeout: float = _START_SECONDS,  # noqa: ASYNC109 - reports why it gave up
    ) -> StartedRun:
        """Prepare a run: its flow run in Prefect is created, and it waits for `go`.

        Raises `EngineUnavailable`, also after `timeout` seconds, or `EngineRefused` if the
        definition can't run; in both cases nothing was executed.
        """
        connection = await self._connect()
        try:
            answer = await _asked(connection, request, timeout)
            if isinstance(answer, Started):
                return StartedRun(connection, answer)
            raise _as_error(answer)
        except BaseException:
            await connection.close()
            raise

    async def enqueue(
        self,
        asked: Enqueue,
        timeout: float = _START_SECONDS,  # noqa: ASYNC109 - reports why it gave up
    ) -> Enqueued:
        """Put the run into its work pool, where Prefect offers it to workers; raises like
        `start`."""
        connection = await self._connect()
        try:
            answer = await _asked(connection, asked, timeout)
        finally:
            await connection.close()
        if isinstance(answer, Enqueued):
            return answer
        raise _as_error(answer)

    async def withdraw(self, asked: Withdraw) -> None:
        """Remove a run from its work pool; raises `EngineUnavailable`."""
        connection = await self._connect()
        try:
            answer = await _asked(connection, asked, _START_SECONDS)
        finally:
            await connection.close()
        if not isinstance(answer, Withdrawn):
            raise _as_error(answer)

    async def watch(self) -> EngineWatch:
        """Watch what happens in Prefect outside of runs; the caller closes the watch.

        Raises `EngineUnavailable` and `EngineLost`.
        """
        connection = await self._connect()
        try:
            answer = await connection.ask(Watch())
            if not isinstance(answer, Watching):
                raise _as_error(answer)
        except BaseException:
            await connection.close()
            raise
        return EngineWatch(connection)

    async def end_suspended(self, flow_run_id: str, message: str) -> None:
        """Show a suspended flow run as cancelled in Prefect; raises `EngineUnavailable`."""
        connection = await self._connect()
        try:
            async with asyncio.timeout(_START_SECONDS):
                answer = await connection.ask(EndSuspended(flow_run_id, message))
        except TimeoutError:
            raise EngineUnavailable("the run engine did not answer in time") from None
        except EngineLost as error:
            raise EngineUnavailable(error.reason) from error
        finally:
            await connection.close()
        if not isinstance(answer, SuspendedEnded):
            raise EngineUnavailable(_as_error(answer).reason)

    async def ask(
        self,
        request: DeploymentRequest,
        timeout: float = _DEPLOYMENT_SECONDS,  # noqa: ASYNC109 - reports why it gave up
    ) -> DeploymentMessage:
        """Send a request about deployments, see `deployment_messages`. Raises `EngineUnavailable`,
        also after `timeout` seconds, and `EngineRefused` if Prefect rejects it."""
        connection = await self._connect()
        try:
            async with asyncio.timeout(timeout):
                answer = await connection.ask(request)
        except TimeoutError:
            reason = f"the run engine did not answer within {timeout:.2g} s"
            raise EngineUnavailable(reason) from None
        except EngineLost as error:
            raise EngineUnavailable(error.reason) from error
        finally:
            await connection.close()
        if isinstance(answer, DeploymentMessage):
            return answer
        raise _as_error(answer)

    async def take_due(self, work_pool: str, worker: str) -> DueFlowRuns:
        """Take the due flow runs of a work pool, as a worker of that name. Raises
        `EngineUnavailable`, and `EngineLost`."""
        connection = await self._connect()
        try:
            answer = await connection.ask(TakeDue(work_pool, worker))
        except BaseException:
            await connection.close()
            raise
        if isinstance(answer, Watching):
            return DueFlowRuns(connection)
        await connection.close()
        raise _as_error(answer)

    async def why_not_ready(self) -> Unavailable | None:
        """Why the engine can't accept a run; None if it can."""
        try:
            async with asyncio.timeout(_PING_SECONDS):
                connection = await self._connect()
                try:
                    answer = await connection.ask(Ping())
                finally:
                    await connection.close()
        except TimeoutError:
            return Unavailable("the run engine does not answer")
        except (EngineUnavailable, EngineLost) as error:
            return Unavailable(error.reason)
        if isinstance(answer, Ready | Unavailable):
            return None if isinstance(answer, Ready) else answer
        return Unavailable(_as_error(answer).reason)

    async def _connect(self) -> EngineConnection:
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket, limit=MAX_LINE_BYTES)
        except OSError as error:
            raise EngineUnavailable(_NOT_RUNNING) from error
        return EngineConnection(reader, writer)


class StartedRun:
    """A prepared run, tied to its connection: closing it before `go` discards the run."""

    def __init__(self, connection: EngineConnection, started: Started) -> None:
        self._connection = connection
        self.flow_run_id = started.flow_run_id
        self.flow_run_url = started.flow_run_url

    async def go(self) -> None:
        """Let the engine execute the run; raises `EngineLost` if the engine is gone (nothing was
        executed)."""
        await self._connection.send(Go())

    async def checkpoint_stored(self, index: int) -> None:
        """The checkpoint of that step is stored, so the steps that depend on it may begin. Has no
        effect on a run that has ended; raises `EngineLost` if the engine is gone."""
        await self._connection.send(CheckpointStored(index))

    async def cancel(self, by: str) -> None:
        """Cancel the run; its `RunFinished` says whether it was cancelled or had already ended.
        `by` names who requested it. Raises `EngineLost` if the engine is gone."""
        await self._connection.send(Cancel(by))

    async def events(self) -> AsyncIterator[RunEvent]:
        """The run's events as they happen; the last one is `RunFinished` or `RunSuspended`.

        Raises `EngineLost` if the connection breaks first. Stopping the iteration, or `close`,
        stops only a durable run.
        """
        while True:
            event = await self._connection.receive()
            if not isinstance(event, RunEvent):
                raise EngineLost(f"the run engine sent {type(event).__name__} during a run")
            yield event
            if isinstance(event, RunFinished | RunSuspended):
                return

    async def close(self) -> None:
        await self._connection.close()


class EngineWatch:
    """Buttons pressed in Prefect, for the lifetime of the engine."""

    def __init__(self, connection: EngineConnection) -> None:
        self._connection = connection

    async def events(self) -> AsyncIterator[RetryPressed | CancelPressed]:
        """Each button press at least once, including earlier ones; raises `EngineLost` at the
        end."""
        while True:
            event = await self._connection.receive()
            if not isinstance(event, RetryPressed | CancelPressed):
                raise EngineLost(f"the run engine sent {type(event).__name__} to a watcher")
            yield event

    async def refuse_retry(self, flow_run_id: str, reason: str) -> None:
        """Restore the run's end state in Prefect, with the reason; raises `EngineLost`."""
        await self._connection.send(RetryRefused(flow_run_id, reason))

    async def close(self) -> None:
        await self._connection.close()


class DueFlowRuns:
    """Due flow runs, for the lifetime of the engine."""

    def __init__(self, connection: EngineConnection) -> None:
        self._connection = connection

    async def events(self) -> AsyncGenerator[DueEvent, None]:
        """Each flow run at least once; raises `EngineLost` at the end."""
        while True:
            event = await self._connection.receive()
            if not isinstance(event, DueEvent):
                raise EngineLost(f"the run engine sent {type(event).__name__} of due flow runs")
            yield event

    async def answer(self, answer: FlowRunAnswer) -> None:
        """Answer what to do with a flow run; raises `EngineLost` if the engine is gone."""
        await self._connection.send(answer)

    async def close(self) -> None:
        await self._connection.close()


async def _asked(
    connection: EngineConnection,
    message: RunRequest | Enqueue | Withdraw,
    timeout: float,  # noqa: ASYNC109 - reports why it gave up
) -> Message:
    """The reply to a message with a run; raises `EngineUnavailable` and `EngineRefused`."""
    try:
        async with asyncio.timeout(timeout):
            return await connection.ask(message)
    except TimeoutError:
        reason = f"the run engine did not prepare the run within {timeout:.2g} s"
        raise EngineUnavailable(reason) from None
    except EngineLost as error:
        raise EngineUnavailable(error.reason) from error
    except EngineProtocolError as error:
        raise EngineRefused(f"the run can't be sent to the engine: {error}") from error


def _as_error(answer: Message) -> EngineError:
    if isinstance(answer, Refused):
        return EngineRefused(answer.reason)
    if isinstance(answer, Unavailable):
        return EngineUnavailable(answer.reason)
    return EngineUnavailable(f"the run engine answered with {type(answer).__name__}")
