"""Runs in Prefect: created, executed in this process, and discarded if they aren't started."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import ObjectNotFound, PrefectException, PrefectSignal
from prefect.states import Crashed
from prefect.utilities.urls import url_for

from promptops_flows.engine.cancellation import Cancellation
from promptops_flows.engine.checkpoints import RunCheckpoints
from promptops_flows.engine.compiled_run import CompiledRun
from promptops_flows.engine.compiler import compile_run
from promptops_flows.engine.created_run import run_created_flow
from promptops_flows.engine.deployment_requests import DeploymentRequests
from promptops_flows.engine.existing_flow_runs import (
    FlowRunMissingError,
    adopt_flow_run,
    find_flow_run,
)
from promptops_flows.engine.flow_run_creation import FlowRunCreator
from promptops_flows.engine.identity import EngineIdentity
from promptops_flows.engine.inner_flows import InnerFlows
from promptops_flows.engine.late_reports import LateReports
from promptops_flows.engine.logs import log
from promptops_flows.engine.pool_queue import PoolQueue, refusal_of
from promptops_flows.engine.prefect_buttons import PREFECT
from promptops_flows.engine.prefect_gate import PREFECT_ERRORS, PrefectGate
from promptops_flows.engine.printable import printable
from promptops_flows.engine.run_control import RunControl
from promptops_flows.engine.run_pages import RunPage, RunPages
from promptops_flows.engine.run_trace import RunTrace
from promptops_flows.engine.runs import Emit, RunRefusedError, RunUnavailableError
from promptops_flows.engine.shown_parameters import shown_parameters
from promptops_flows.engine.suspended_runs import end_suspended
from promptops_flows.protocol.engine_protocol import Began, RunEvent, RunFinished
from promptops_flows.protocol.pool_messages import Enqueue, Enqueued, Withdraw
from promptops_flows.protocol.run_request import RunRequest
from promptops_flows.protocol.suspension_messages import RunSuspended
from promptops_flows.steps.services import StepServices
from promptops_flows.telemetry.tracing import Tracing

_PREPARE_SECONDS = 20.0
# How long Prefect may take to store the end of a run before the run is reported without it.
_REPORT_SECONDS = 2.0
_NOT_STARTED = "The run was not started again"


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """A run with a pending flow run in Prefect; no step has been executed."""

    request: RunRequest
    compiled: CompiledRun
    checkpoints: RunCheckpoints
    page: RunPage
    flow_run: FlowRun

    @property
    def flow_run_id(self) -> str:
        return str(self.flow_run.id)

    @property
    def flow_run_url(self) -> str | None:
        return url_for(self.flow_run)


class FlowRuns:
    """At most `concurrency` runs execute at a time; the others wait."""

    def __init__(
        self,
        client: PrefectClient,
        gate: PrefectGate,
        services: StepServices,
        tracing: Tracing,
        identity: EngineIdentity,
        concurrency: int,
    ) -> None:
        self._tracing = tracing
        self._client = client
        self.deployments = DeploymentRequests(client, gate)
        self._creator = FlowRunCreator(client)
        self._gate = gate
        self._services = services
        self._identity = identity
        self._turns = asyncio.Semaphore(concurrency)
        # Contains the open client, which Prefect looks up in the context; the contexts of
        # connections don't have it.
        self._context = contextvars.copy_context()
        self._reports = LateReports(client, gate)
        self._pages = RunPages(client, gate)
        # The tasks that execute a flow run and then report its end.
        self._reporting: dict[UUID, asyncio.Task[str]] = {}
        # What cancels each running flow run, by id.
        self._cancels: dict[str, Callable[[str], None]] = {}
        self._pool_queue = PoolQueue(client, self._creator, gate)
        self._inner_flows = InnerFlows(
            self._creator, identity, self._reports, self._pages, self._cancels
        )

    async def prepare(self, request: RunRequest, emit: Emit) -> PreparedRun:
        """Create the flow run. Raises `RunRefusedError` or `RunUnavailableError`, and leaves
        nothing in Prefect then."""
        page = RunPage(self._pages, request)
        emit = page.reading(emit)
        checkpoints = RunCheckpoints(request, emit)
        compiled, shown = await self._compiled(request, emit, checkpoints)
        try:
            async with asyncio.timeout(_PREPARE_SECONDS):
                flow_run = await self._flow_run(request, compiled, shown)
                return PreparedRun(request, compiled, checkpoints, page, flow_run)
        except httpx.HTTPStatusError as error:
            raise refusal_of(error) from error
        except PREFECT_ERRORS as error:
            self._gate.suspect()
            raise RunUnavailableError(
                f"Prefect did not take the run ({type(error).__name__})"
            ) from error

    async def enqueue(self, asked: Enqueue) -> Enqueued:
        """Put the run into its work pool, where Prefect offers it to workers; raises like
        `prepare`."""
        request = asked.run

        def nothing(_event: RunEvent) -> None:
            """A queued run has no events."""

        compiled, shown = await self._compiled(request, nothing, RunCheckpoints(request, nothing))
        # Without the engine's own tag, since this engine doesn't execute the run.
        return await self._pool_queue.put(asked, compiled, shown, _tags(request))

    async def withdraw(self, asked: Withdraw) -> None:
        """Remove the run from its work pool; raises `RunUnavailableError`."""
        await self._pool_queue.withdraw(asked)

    async def _compiled(
        self, request: RunRequest, emit: Emit, checkpoints: RunCheckpoints
    ) -> tuple[CompiledRun, dict[str, Any]]:
        """Compile the run; also returns its variables as Prefect shows them. Raises
        `RunRefusedError`."""
        control = RunControl(Cancellation(request.texts), checkpoints, self._inner_flows)
        try:
            compiled = compile_run(request, emit, self._services, control)
            # On a thread: variables may have megabytes.
            shown = await asyncio.to_thread(
                shown_parameters, request.variables, compiled.redact, request.texts
            )
        except PrefectException as error:
            raise RunRefusedError(str(error)) from error
        except RecursionError as error:
            raise RunRefusedError("a variable of the run is nested too deeply") from error
        return compiled, shown

    async def execute(self, prepared: PreparedRun) -> RunFinished | RunSuspended:
        """Execute the run until it ends or waits for people. Failures of Prefect don't change the
        result of the steps, and the result doesn't wait long for Prefect to store it.

        Raises when cancelled, but returns the result if the steps have ended.
        """
        trace = RunTrace(self._tracing, prepared.request, prepared.flow_run_id)
        result = None
        self._cancels[prepared.flow_run_id] = prepared.compiled.cancel
        try:
            result = await self._execute(prepared, trace)
        finally:
            del self._cancels[prepared.flow_run_id]
            trace.ended(result)
        return result

    async def _execute(self, prepared: PreparedRun, trace: RunTrace) -> RunFinished | RunSuspended:
        began = time.perf_counter()
        prepared.page.began(prepared.flow_run.id)
        async with self._turn(prepared.compiled) as has_come:
            if has_come:
                trace.began()
                prepared.compiled.emit(Began())
                began = time.perf_counter()
                result = await self._take_turn(prepared, trace)
            else:
                result = self._end_early(prepared)
        milliseconds = round((time.perf_counter() - began) * 1000)
        state, error = "suspended", None
        if isinstance(result, RunFinished):
            state, error = result.state, result.error
        prepared.page.ended(prepared.compiled.state or Crashed(message=error))
        log(logging.INFO, "run.finished", **_names(prepared), state=state, ms=milliseconds)
        return result

    async def _take_turn(
        self, prepared: PreparedRun, trace: RunTrace
    ) -> RunFinished | RunSuspended:
        context = trace.enter(self._context.copy())
        flow = asyncio.create_task(self._run_flow(prepared), context=context)
        self._reporting[prepared.flow_run.id] = flow
        flow.add_done_callback(lambda _: self._reporting.pop(prepared.flow_run.id, None))
        await self._end_of(self._reports.keep(flow), prepared.compiled)
        if not flow.done():
            self._gate.suspect()
            log(logging.WARNING, "run.report_pending", **_names(prepared))
        if prepared.compiled.result is not None:
            return prepared.compiled.result
        return RunFinished("error", error=flow.result(), state="crashed")

    def _end_early(self, prepared: PreparedRun) -> RunFinished | RunSuspended:
        compiled = prepared.compiled
        assert compiled.result is not None
        assert compiled.state is not None
        self._report_later(prepared, compiled.state)
        return compiled.result

    @asynccontextmanager
    async def _turn(self, compiled: CompiledRun) -> AsyncIterator[bool]:
        """Yields whether the run may begin; it may be cancelled while it waits."""
        turn = asyncio.create_task(self._turns.acquire())
        ended = asyncio.create_task(compiled.ended.wait())
        try:
            await asyncio.wait([turn, ended], return_when=asyncio.FIRST_COMPLETED)
            yield turn.done() and compiled.result is None
        finally:
            ended.cancel()
            if not turn.cancel():
                self._turns.release()

    def cancel(self, prepared: PreparedRun, by: str) -> None:
        """Cancel a running run. Has no effect on one that has ended."""
        prepared.compiled.cancel(by)

    def cancel_flow_run(self, flow_run_id: str, by: str) -> bool:
        """Cancel the run, or the inner run, of that flow run; returns False if this engine doesn't
        execute it."""
        cancel = self._cancels.get(flow_run_id)
        if cancel is not None:
            cancel(by)
        return cancel is not None

    def executes(self, flow_run_id: str) -> bool:
        """Whether this engine executes the flow run or has it waiting."""
        return flow_run_id in self._cancels

    def abandon(self, prepared: PreparedRun) -> None:
        """Nobody follows the run any more; a durable run is stopped, since another engine continues
        it."""
        if prepared.request.durable:
            prepared.compiled.abandon()

    def checkpoint_stored(self, prepared: PreparedRun, index: int) -> None:
        """The step's checkpoint is stored, so the steps that depend on it may begin."""
        prepared.checkpoints.mark_stored(index)

    async def end_suspended(self, flow_run_id: str, message: str) -> None:
        """Show a suspended flow run as cancelled; raises `RunUnavailableError`."""
        try:
            await end_suspended(self._client, UUID(flow_run_id), message)
        except PREFECT_ERRORS as error:
            self._gate.suspect()
            raise RunUnavailableError(
                f"Prefect did not take the end of the run ({type(error).__name__})"
            ) from error

    async def discard(self, prepared: PreparedRun) -> None:
        """Delete the flow run of a run that was never started; one that existed before gets an end
        state."""
        if prepared.request.flow_run_id is not None:
            self._report_later(prepared, Crashed(message=_NOT_STARTED))
            return
        try:
            await self._client.delete_flow_run(prepared.flow_run.id)
        except ObjectNotFound:
            return  # deleted in Prefect
        except PREFECT_ERRORS as error:
            fields = {**_names(prepared), "error": type(error).__name__}
            log(logging.WARNING, "run.discard_failed", **fields)

    async def reported(self, prepared: PreparedRun) -> None:
        """Wait briefly for the reports of this run that Prefect hasn't stored yet."""
        await self._reports.settle_one(prepared.flow_run.id, _REPORT_SECONDS)

    async def settle(self) -> None:
        """Wait briefly for the end states that Prefect hasn't stored yet."""
        await asyncio.gather(
            self._reports.settle(_REPORT_SECONDS), self._pages.settle(_REPORT_SECONDS)
        )

    async def _end_of(self, flow: asyncio.Task[str], compiled: CompiledRun) -> None:
        """Wait for the steps, and then only briefly for Prefect."""
        ended = asyncio.create_task(compiled.ended.wait())
        try:
            await asyncio.wait([flow, ended], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([flow], timeout=_REPORT_SECONDS)
        except asyncio.CancelledError:
            if compiled.result is None:
                flow.cancel()
                # Prefect gets the result in the background, however long that takes.
                await asyncio.wait([flow], timeout=_REPORT_SECONDS)
                raise
        finally:
            ended.cancel()

    async def _flow_run(
        self, request: RunRequest, compiled: CompiledRun, shown: dict[str, Any]
    ) -> FlowRun:
        """Create a flow run, or adopt the existing one if the run is executed again."""
        if request.flow_run_id is not None:
            try:
                return await self._adopt(request.flow_run_id)
            except FlowRunMissingError:
                if not request.suspended:
                    raise
        return await self._creator.create(
            compiled.flow,
            name=compiled.flow_run_name,
            parameters=shown,
            context=self._identity.context,
            tags=[*_tags(request), self._identity.tag],
        )

    async def _adopt(self, flow_run_id: str) -> FlowRun:
        flow_run = await find_flow_run(self._client, flow_run_id)
        # A report of the previous attempt must not arrive after those of this one.
        if reporting := self._reporting.get(flow_run.id):
            await asyncio.wait([reporting])
        self._reports.drop(flow_run.id)
        return await adopt_flow_run(self._client, self._identity, flow_run)

    async def _run_flow(self, prepared: PreparedRun) -> str:
        """Returns the reason to report if the steps did not end."""
        compiled = prepared.compiled
        try:
            state = await run_created_flow(compiled.flow, prepared.flow_run)
        # Whatever Prefect raises (its signals aren't Exceptions) doesn't change the result of the
        # steps.
        except (Exception, PrefectSignal) as error:  # noqa: BLE001
            note = f"Prefect failed before the run ended ({type(error).__name__})"
            trace = ""
            if not isinstance(error, PREFECT_ERRORS):
                trace = compiled.redact(compiled.texts.traceback(error))
            log(logging.WARNING, "run.prefect_failed", **_names(prepared), note=note, trace=trace)
            self._report_later(prepared, compiled.state or Crashed(message=note))
            return note
        if state.is_cancelling() or state.is_cancelled():
            # Cancelled before it began; has no effect on a run that has ended.
            compiled.cancel(PREFECT)
        if compiled.state is not None and not _is_shown(compiled.state, state):
            self._report_later(prepared, compiled.state)
        elif state.is_paused():
            self._reports.add(prepared.flow_run.id, state, _names(prepared), is_shown=True)
        return f"Prefect ended the run as {state.name} before its steps ended"

    def _report_later(self, prepared: PreparedRun, state: State[Any]) -> None:
        self._reports.add(prepared.flow_run.id, state, _names(prepared))


def _is_shown(ours: State[Any], shown: State[Any]) -> bool:
    """Whether Prefect has stored our state. It may show its own failure instead, or that Cancel was
    pressed meanwhile."""
    return (shown.type, shown.message) == (ours.type, ours.message)


def _tags(request: RunRequest) -> list[str]:
    own = ["promptops", request.source, f"workspace:{request.workspace}"]
    tags = (printable(request.texts.redact(tag)) for tag in request.tags)
    return list(dict.fromkeys([*own, *tags]))


def _names(prepared: PreparedRun) -> dict[str, object]:
    request = prepared.request
    return {
        "run_id": request.run_id,
        "flow_run_id": prepared.flow_run_id,
        "workspace": request.workspace,
        "key": request.key,
    }
