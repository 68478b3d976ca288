"""Flow runs inside flow runs. They have the engine's marks, and stopping them doesn't wait for
Prefect."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.flow_engine import AsyncFlowRunEngine
from prefect.flows import Flow
from prefect.states import exception_to_crashed_state
from prefect.tasks import Task

from promptops_flows.engine.cancellation import Cancellation
from promptops_flows.engine.flow_run_creation import FlowRunCreator
from promptops_flows.engine.identity import EngineIdentity
from promptops_flows.engine.late_reports import LateReports
from promptops_flows.engine.run_pages import RunPages, run_location
from promptops_flows.protocol.run_request import RunRequest


class InnerFlows:
    """`cancels` maps the id of each running flow run to what cancels it."""

    def __init__(
        self,
        creator: FlowRunCreator,
        identity: EngineIdentity,
        reports: LateReports,
        pages: RunPages,
        cancels: dict[str, Callable[[str], None]],
    ) -> None:
        self._creator = creator
        self._identity = identity
        self._reports = reports
        self._pages = pages
        self._cancels = cancels

    async def run(
        self, flow: Flow[Any, Any], name: str, request: RunRequest, cancellation: Cancellation
    ) -> State[Any]:
        """Execute a flow without parameters as an inner flow run of the current step; returns its
        final state."""
        engine = _InnerFlowEngine(
            flow=flow, name=name, request=request, inner=self, cancellation=cancellation
        )
        try:
            return await engine.execute()
        finally:
            if engine.flow_run is not None:
                self._cancels.pop(str(engine.flow_run.id), None)
                self._pages.add_end(engine.flow_run.id, engine.state)

    async def create(
        self, flow: Flow[Any, Any], name: str, request: RunRequest, cancellation: Cancellation
    ) -> FlowRun:
        """Create a pending flow run below the current step."""
        placeholder: Task[Any, Any] = Task(name=flow.name, fn=flow.fn, version=flow.version)
        # Prefect marks the task run that represents an inner flow run in the outer graph like this.
        placeholder._is_subflow_tracking_task = True  # type: ignore[attr-defined]
        task_run = await placeholder.create_run(flow_run_context=FlowRunContext.get())
        flow_run = await self._creator.create(
            flow,
            name=name,
            parameters={},
            context=self._identity.context,
            tags=["promptops", self._identity.tag],
            parent_task_run_id=task_run.id,
        )
        self._cancels[str(flow_run.id)] = cancellation.request
        self._pages.add(flow_run.id, logging.INFO, f"Part of run {run_location(request)}")
        return flow_run

    def report(self, flow_run: FlowRun, state: State[Any]) -> None:
        """Report the end of the run to Prefect in the background."""
        self._reports.add(flow_run.id, state, {"flow_run_id": str(flow_run.id)})


@dataclass
class _InnerFlowEngine(AsyncFlowRunEngine[[], Any]):
    name: str = ""
    request: RunRequest | None = None
    inner: InnerFlows | None = None
    cancellation: Cancellation | None = None

    async def execute(self) -> State[Any]:
        async with self.start():
            while self.is_running():
                async with self.run_context():
                    # Prefect's types don't say that the result is a coroutine if the flow is one.
                    await cast("Awaitable[Any]", self.call_flow_fn())
        return self.state

    async def create_flow_run(self, client: PrefectClient) -> FlowRun:
        assert self.inner is not None
        assert self.request is not None
        assert self.cancellation is not None
        return await self.inner.create(self.flow, self.name, self.request, self.cancellation)

    async def handle_crash(self, exc: BaseException) -> None:
        assert self.inner is not None
        assert self.cancellation is not None
        assert self.flow_run is not None
        is_cancelled = isinstance(exc, asyncio.CancelledError) and self.cancellation.is_requested
        state = self.cancellation.state() if is_cancelled else await exception_to_crashed_state(exc)
        self.flow_run.state = state
        self._raised = exc  # type: ignore[assignment]
        self._telemetry.record_exception(exc)
        self._telemetry.end_span_on_failure(state.message)
        self.inner.report(self.flow_run, state)
