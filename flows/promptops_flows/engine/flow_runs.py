"""Runs in Prefect: created ahead, executed in this process, discarded when nobody wants them."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import AsyncClientContext
from prefect.events.worker import EventsWorker
from prefect.exceptions import ObjectNotFound, PrefectException, PrefectSignal
from prefect.flow_engine import run_flow_async
from prefect.states import Crashed, Pending
from prefect.utilities.urls import url_for

from promptops_flows.definitions import DefinitionError
from promptops_flows.engine.compiled_run import CompiledRun
from promptops_flows.engine.compiler import compile_run
from promptops_flows.engine.identity import EngineIdentity
from promptops_flows.engine.left_behind import LeftBehind
from promptops_flows.engine.logs import log
from promptops_flows.engine.prefect_gate import PREFECT_ERRORS, PrefectGate
from promptops_flows.engine.run_trace import RunTrace
from promptops_flows.engine.runs import Emit, RunRefusedError, RunUnavailableError
from promptops_flows.engine.settings import EngineSettings
from promptops_flows.engine.shown_parameters import shown_parameters
from promptops_flows.engine.step_run import printable
from promptops_flows.http_tools import ToolClient
from promptops_flows.tracing import Tracing
from promptops_flows.waiting import end_tasks
from promptops_flows.wire import RunFinished, RunRequest
from promptops_providers.gateway import ModelGateway

T = TypeVar("T")

_PREPARE_SECONDS = 20.0
_DRAIN_EVENTS_SECONDS = 5.0
_REPORT_PAUSE_SECONDS = 1.0
# What Prefect gets to take the end of a run before the run is answered without it.
_REPORT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """A run that Prefect knows as pending; nothing of it has been executed."""

    request: RunRequest
    compiled: CompiledRun
    flow_run: FlowRun

    @property
    def flow_run_id(self) -> str:
        return str(self.flow_run.id)

    @property
    def flow_run_url(self) -> str | None:
        return url_for(self.flow_run)


class FlowRuns:
    """At most `concurrency` runs execute at a time, the others wait their turn."""

    def __init__(
        self,
        client: PrefectClient,
        gate: PrefectGate,
        gateway: ModelGateway,
        tools: ToolClient,
        tracing: Tracing,
        identity: EngineIdentity,
        concurrency: int,
    ) -> None:
        self._tracing = tracing
        self._client = client
        self._gate = gate
        self._gateway = gateway
        self._tools = tools
        self._identity = identity
        self._turns = asyncio.Semaphore(concurrency)
        # Holds the open client, which Prefect finds by context; connections know nothing of it.
        self._context = contextvars.copy_context()
        # Flows that Prefect has not finished with, and ends that it did not take.
        self._unreported: set[asyncio.Task[Any]] = set()

    async def prepare(self, request: RunRequest, emit: Emit) -> PreparedRun:
        """Raises `RunRefusedError` or `RunUnavailableError`; then nothing is left in Prefect."""
        try:
            compiled = compile_run(request, emit, self._gateway, self._tools)
            # On a thread: variables may be megabytes.
            shown = await asyncio.to_thread(
                shown_parameters, request.variables, compiled.redact, request.texts
            )
        except (DefinitionError, PrefectException) as error:
            raise RunRefusedError(str(error)) from error
        except RecursionError as error:
            raise RunRefusedError("a variable of the run is nested too deeply") from error
        try:
            async with asyncio.timeout(_PREPARE_SECONDS):
                return PreparedRun(request, compiled, await self._create(request, compiled, shown))
        except httpx.HTTPStatusError as error:
            raise _as_refusal(error) from error
        except PREFECT_ERRORS as error:
            self._gate.suspect()
            raise RunUnavailableError(
                f"Prefect did not take the run ({type(error).__name__})"
            ) from error

    async def execute(self, prepared: PreparedRun) -> RunFinished:
        """Execute to the end. Prefect failing in between does not change how the steps ended, and
        Prefect being slow to take their end does not hold it back.

        When cancelled it raises, but where the steps have ended it answers at once.
        """
        trace = RunTrace(self._tracing, prepared.request, prepared.flow_run_id)
        result = None
        try:
            result = await self._execute(prepared, trace)
        finally:
            trace.ended(result)
        return result

    async def _execute(self, prepared: PreparedRun, trace: RunTrace) -> RunFinished:
        async with self._turns:
            trace.began()
            context = trace.enter(self._context.copy())
            began = time.perf_counter()
            flow = self._keep(asyncio.create_task(self._run_flow(prepared), context=context))
            await self._end_of(flow, prepared.compiled)
            result = prepared.compiled.result or RunFinished("error", error=flow.result())
        if not flow.done():
            self._gate.suspect()
            log(logging.WARNING, "run.report_pending", **_names(prepared))
        milliseconds = round((time.perf_counter() - began) * 1000)
        log(logging.INFO, "run.finished", **_names(prepared), status=result.status, ms=milliseconds)
        return result

    async def discard(self, prepared: PreparedRun) -> None:
        """Remove a run that was never let go."""
        try:
            await self._client.delete_flow_run(prepared.flow_run.id)
        except ObjectNotFound:
            return  # somebody removed it already
        except PREFECT_ERRORS as error:
            fields = {**_names(prepared), "error": type(error).__name__}
            log(logging.WARNING, "run.discard_failed", **fields)

    async def settle(self) -> None:
        """Give Prefect a moment for the ends that it has not taken yet."""
        if self._unreported:
            await asyncio.wait(self._unreported, timeout=_REPORT_SECONDS)

    async def _end_of(self, flow: asyncio.Task[str], compiled: CompiledRun) -> None:
        """Wait for the flow, but for Prefect's part after the last step only a moment."""
        ended = asyncio.create_task(compiled.ended.wait())
        try:
            await asyncio.wait([flow, ended], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([flow], timeout=_REPORT_SECONDS)
        except asyncio.CancelledError:
            if compiled.result is None:
                flow.cancel()
                # Prefect is told, which may take as long as Prefect likes.
                await asyncio.wait([flow], timeout=_REPORT_SECONDS)
                raise
        finally:
            ended.cancel()

    def _keep(self, task: asyncio.Task[T]) -> asyncio.Task[T]:
        self._unreported.add(task)
        task.add_done_callback(self._unreported.discard)
        return task

    async def _create(
        self, request: RunRequest, compiled: CompiledRun, shown: dict[str, Any]
    ) -> FlowRun:
        return await self._client.create_flow_run(
            compiled.flow,
            name=printable(f"{request.key} · {request.run_id[-6:]}"),
            parameters=shown,
            context=self._identity.context,
            tags=_tags(request, self._identity),
            state=Pending(),
        )

    async def _run_flow(self, prepared: PreparedRun) -> str:
        """Returns why the steps did not come to an end, for the case that they didn't."""
        compiled = prepared.compiled
        try:
            state = await run_flow_async(
                compiled.flow, flow_run=prepared.flow_run, parameters={}, return_type="state"
            )
        # Whatever Prefect raises, and its signals are no Exceptions: how the steps ended stands.
        except (Exception, PrefectSignal) as error:  # noqa: BLE001
            note = f"Prefect failed before the run came to its end ({type(error).__name__})"
            trace = ""
            if not isinstance(error, PREFECT_ERRORS):
                trace = compiled.redact(compiled.texts.traceback(error))
            log(logging.WARNING, "run.prefect_failed", **_names(prepared), note=note, trace=trace)
            self._report_later(prepared, compiled.state or Crashed(message=note))
            return note
        assert isinstance(state, State)
        if compiled.state is not None and _is_another_failure(state, compiled.state):
            self._report_later(prepared, compiled.state)
        return f"Prefect ended the run as {state.name} before its steps came to an end"

    def _report_later(self, prepared: PreparedRun, state: State[Any]) -> None:
        self._keep(asyncio.create_task(self._report(prepared, state)))

    async def _report(self, prepared: PreparedRun, state: State[Any]) -> None:
        """Tell Prefect how a run ended that it still takes for a running one."""
        while True:
            await self._gate.opened()
            try:
                await self._client.set_flow_run_state(prepared.flow_run.id, state, force=True)
                log(logging.INFO, "run.reported_late", **_names(prepared), state=state.name)
            except PREFECT_ERRORS as error:
                if isinstance(error, ObjectNotFound):
                    return
                self._gate.suspect()
                await asyncio.sleep(_REPORT_PAUSE_SECONDS)
            else:
                return


@asynccontextmanager
async def open_flow_runs(
    gate: PrefectGate,
    gateway: ModelGateway,
    tools: ToolClient,
    tracing: Tracing,
    settings: EngineSettings,
) -> AsyncIterator[FlowRuns]:
    """One Prefect client for as long as the engine lives; at the end its events are sent off.

    Meanwhile the runs that its predecessor left behind are ended.
    """
    identity = EngineIdentity(settings.engine_id)
    async with AsyncClientContext.get_or_create() as context:
        left_behind = LeftBehind(context.client, gate, identity, settings.lock)
        ending = asyncio.create_task(left_behind.end())
        runs = FlowRuns(
            context.client, gate, gateway, tools, tracing, identity, settings.concurrency
        )
        yield runs
        await runs.settle()
        await end_tasks(ending)
    await asyncio.to_thread(EventsWorker.drain_all, _DRAIN_EVENTS_SECONDS)


def _is_another_failure(shown: State[Any], ours: State[Any]) -> bool:
    """Whether Prefect shows its own failure to take our state, as if the flow had failed so."""
    same = (shown.type, shown.message) == (ours.type, ours.message)
    return (shown.is_failed() or shown.is_crashed()) and not same


def _tags(request: RunRequest, identity: EngineIdentity) -> list[str]:
    own = ["promptops", request.source, f"workspace:{request.workspace}", identity.tag]
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


def _as_refusal(error: httpx.HTTPStatusError) -> Exception:
    status = error.response.status_code
    if status in (400, 409, 422):
        return RunRefusedError(f"Prefect refuses the run (HTTP {status})")
    return RunUnavailableError(f"Prefect did not take the run (HTTP {status})")
