"""Handles the platform's requests for deployments, timers and events."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import httpx
from prefect.client.orchestration import PrefectClient

from promptops_flows.engine.deployments import Deployments
from promptops_flows.engine.due_flow_runs import DueFlowRuns
from promptops_flows.engine.logs import log
from promptops_flows.engine.pause_watch import PauseWatch
from promptops_flows.engine.platform_events import PlatformEvents
from promptops_flows.engine.prefect_api import PrefectApi, is_refusal, refusal_of
from promptops_flows.engine.prefect_gate import PREFECT_ERRORS, PrefectGate
from promptops_flows.engine.prefect_schedules import fire_times
from promptops_flows.engine.runs import RunRefusedError
from promptops_flows.engine.timers import Timers
from promptops_flows.engine.work_pools import WorkPools
from promptops_flows.protocol.deployment_messages import (
    CatchUp,
    DeleteDeployment,
    DeleteTimer,
    DeploymentMessage,
    DeploymentRequest,
    Done,
    EmitEvents,
    NextTimes,
    PoolRequest,
    PutDeployment,
    PutTimer,
    Reconcile,
    Reconciled,
    Times,
)
from promptops_flows.protocol.engine_protocol import Refused, Unavailable


class DeploymentRequests:
    """Handles requests; `watch` runs for the lifetime of the engine."""

    def __init__(self, client: PrefectClient, gate: PrefectGate) -> None:
        self._gate = gate
        api = PrefectApi(client)
        pools = WorkPools(api)
        self._deployments = Deployments(client, api, pools)
        self._timers = Timers(api, self._deployments)
        self._events = PlatformEvents(api, self._deployments)
        self.due = DueFlowRuns(api, pools, gate)
        self._pauses = PauseWatch(self._deployments, self.due, gate)

    async def watch(self) -> None:
        """Report changes in Prefect to the platforms, until cancelled."""
        await asyncio.gather(self.due.watch(), self._pauses.watch())

    async def answer(self, request: DeploymentRequest) -> DeploymentMessage | Refused | Unavailable:
        """Never raises: returns `Refused` if Prefect rejects the request, `Unavailable` if Prefect
        can't be reached."""
        try:
            if isinstance(request, NextTimes):
                return Times(await asyncio.to_thread(asyncio.run, fire_times(request)))
            if self._gate.reason is not None:
                return Unavailable(self._gate.reason, self._gate.part)
            return await self._answer(request)
        except RunRefusedError as error:
            return Refused(str(error))
        except httpx.HTTPStatusError as error:
            return _refusal(error)
        except PREFECT_ERRORS as error:
            self._gate.suspect()
            return Unavailable(f"Prefect did not answer ({type(error).__name__})", "prefect")

    async def _answer(self, request: PoolRequest) -> DeploymentMessage:
        work_pool = request.work_pool
        if isinstance(request, Reconcile):
            return await self._reconcile(request)
        if isinstance(request, CatchUp):
            return await self._deployments.catch_up(request)
        if isinstance(request, DeleteDeployment):
            await self._deployments.delete(work_pool, request.owner)
        elif isinstance(request, DeleteTimer):
            await self._timers.delete(work_pool, request.owner)
        elif isinstance(request, EmitEvents):
            await self._events.emit(work_pool, request.events)
        elif isinstance(request, PutTimer):
            await self._timers.put(work_pool, request.timer)
            self.due.exists(work_pool)
        elif isinstance(request, PutDeployment):
            await self._events.automate(work_pool, [request.deployment])
            stored = await self._deployments.put(work_pool, request.deployment)
            self.due.exists(work_pool)
            return stored
        return Done()

    async def _reconcile(self, request: Reconcile) -> Reconciled:
        self._events.prefect_is_back()
        await self._events.automate(request.work_pool, request.deployments)
        reconciled, pressed = await self._deployments.reconcile(request)
        created, removed = await self._timers.reconcile(request.work_pool, request.timers)
        if request.deployments or request.timers:
            self.due.exists(request.work_pool)
        for deployment in pressed:
            self.due.paused(request.work_pool, deployment)
        return replace(reconciled, timers=created + removed)


def _refusal(error: httpx.HTTPStatusError) -> Refused | Unavailable:
    sentence = refusal_of(error)
    log(logging.WARNING, "deployment.refused", reason=sentence, path=error.request.url.path)
    return Refused(sentence) if is_refusal(error) else Unavailable(sentence, "prefect")
