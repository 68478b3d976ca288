"""The part of the engine that takes seconds to load: Prefect's client and gate, the runs, and the
model gateway and HTTP client for tools that they share."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from promptops_flows.engine.flow_runs import FlowRuns
from promptops_flows.engine.logs import take_over_prefect_logging
from promptops_flows.engine.open_runs import open_flow_runs
from promptops_flows.engine.prefect_gate import PrefectGate
from promptops_flows.engine.retry_watchers import RetryWatchers
from promptops_flows.engine.server import EngineServer, Part
from promptops_flows.engine.settings import EngineSettings
from promptops_flows.engine.thread_watch import ThreadWatch
from promptops_flows.json_schemas.turns import SCHEMA_THREADS
from promptops_flows.processes.budgeted_workers import BudgetedWorkers
from promptops_flows.processes.waiting import end_tasks
from promptops_flows.steps.expressions import WORKER, Expressions
from promptops_flows.steps.http_tools import ToolClient
from promptops_flows.steps.services import StepServices
from promptops_flows.telemetry.call_counts import CallCounts
from promptops_flows.telemetry.traced_calls import TracedCalls
from promptops_flows.telemetry.tracing import tracing_of
from promptops_providers.observation import Observers
from promptops_providers.pooled_gateway import Gateway


class EngineReadiness:
    """Prefect is checked first: without it the threads are idle."""

    def __init__(self, gate: PrefectGate, threads: ThreadWatch) -> None:
        self._gate = gate
        self._threads = threads

    @property
    def reason(self) -> str | None:
        return self._gate.reason or self._threads.reason

    @property
    def part(self) -> Part:
        return "threads" if self._gate.reason is None else self._gate.part


@asynccontextmanager
async def prefect_behind(server: EngineServer, settings: EngineSettings) -> AsyncIterator[None]:
    """Inside, the server accepts runs whenever Prefect is available."""
    async with open_runs(settings, server.counts, server.watchers) as (runs, readiness):
        server.runs, server.readiness = runs, readiness
        server.deployments = runs.deployments
        yield


@asynccontextmanager
async def open_runs(
    settings: EngineSettings, counts: CallCounts, watchers: RetryWatchers | None
) -> AsyncIterator[tuple[FlowRuns, EngineReadiness]]:
    """Opens the runs and their readiness; `watchers` are notified of the flow runs whose Retry
    button was pressed, None for a worker."""
    take_over_prefect_logging()
    gate, threads = PrefectGate(), ThreadWatch(None, SCHEMA_THREADS)
    tracing = tracing_of(os.environ, service="promptops-engine")
    observer = Observers(counts, TracedCalls(tracing)) if tracing.is_on else counts
    async with (
        Gateway(settings.address_policy, observer=observer) as gateway,
        ToolClient(settings.tool_policy) as tools,
        BudgetedWorkers(WORKER) as workers,
        open_flow_runs(
            gate,
            StepServices(gateway, tools, Expressions(workers)),
            tracing,
            settings,
            watchers,
        ) as runs,
    ):
        # Not asyncio.gather: a cancelled one logs an error.
        watches = [asyncio.create_task(gate.watch()), asyncio.create_task(threads.watch())]
        yield runs, EngineReadiness(gate, threads)
        await end_tasks(*watches)
    await tracing.close()
