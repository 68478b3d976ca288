"""Opens and closes what executes runs in Prefect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prefect.client.orchestration import PrefectClient
from prefect.context import AsyncClientContext
from prefect.events.worker import EventsWorker

from promptops_flows.engine.flow_runs import FlowRuns
from promptops_flows.engine.identity import EngineIdentity
from promptops_flows.engine.left_behind import LeftBehind
from promptops_flows.engine.prefect_buttons import PrefectButtons
from promptops_flows.engine.prefect_gate import PrefectGate
from promptops_flows.engine.retry_watchers import RetryWatchers
from promptops_flows.engine.settings import EngineSettings
from promptops_flows.engine.suspended_runs import SuspendedRuns
from promptops_flows.processes.waiting import end_tasks
from promptops_flows.protocol.suspension_messages import CancelPressed
from promptops_flows.steps.services import StepServices
from promptops_flows.telemetry.tracing import Tracing

_DRAIN_EVENTS_SECONDS = 5.0


@asynccontextmanager
async def open_flow_runs(
    gate: PrefectGate,
    services: StepServices,
    tracing: Tracing,
    settings: EngineSettings,
    watchers: RetryWatchers | None,
) -> AsyncIterator[FlowRuns]:
    """Opens one Prefect client for the lifetime of the engine; its pending events are sent at the
    end.

    Meanwhile it ends the runs that the previous engine left behind, and handles Prefect's Cancel
    and Retry buttons: `watchers` are notified of those that the platform handles, None for a
    worker.
    """
    identity = EngineIdentity(settings.engine_id)
    async with AsyncClientContext.get_or_create() as context:
        ending = asyncio.create_task(_end_left_behind(context.client, gate, identity, settings))
        runs = FlowRuns(context.client, gate, services, tracing, identity, settings.concurrency)
        buttons = PrefectButtons(
            context.client,
            gate,
            identity,
            cancel=runs.cancel_flow_run,
            executes=runs.executes,
            watchers=watchers,
            suspended=_suspended_runs(context.client, runs, watchers),
        )
        watching = asyncio.create_task(buttons.watch())
        telling = asyncio.create_task(runs.deployments.watch())
        yield runs
        await end_tasks(watching, telling)
        await runs.settle()
        await end_tasks(ending)
    await asyncio.to_thread(EventsWorker.drain_all, _DRAIN_EVENTS_SECONDS)


def _suspended_runs(
    client: PrefectClient, runs: FlowRuns, watchers: RetryWatchers | None
) -> SuspendedRuns | None:
    if watchers is None:
        return None
    return SuspendedRuns(
        client,
        executes=runs.executes,
        cancelled=lambda flow_run_id: watchers.pressed(CancelPressed(flow_run_id)),
    )


async def _end_left_behind(
    client: PrefectClient, gate: PrefectGate, identity: EngineIdentity, settings: EngineSettings
) -> None:
    if settings.lock is not None:
        await LeftBehind(client, gate, identity, settings.lock).end()
