"""Runs that wait in a work pool of Prefect for a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Completed, Crashed, Scheduled
from prefect.utilities.urls import url_for

from promptops_flows.engine.compiled_run import CompiledRun
from promptops_flows.engine.existing_flow_runs import CONTINUES
from promptops_flows.engine.flow_run_creation import FlowRunCreator, Queued
from promptops_flows.engine.prefect_api import PrefectApi, is_missing
from promptops_flows.engine.prefect_gate import PREFECT_ERRORS, PrefectGate
from promptops_flows.engine.printable import MESSAGE_CHARACTERS, printable
from promptops_flows.engine.runs import RunRefusedError, RunUnavailableError
from promptops_flows.engine.suspended_runs import untagged
from promptops_flows.engine.work_pools import WorkPools
from promptops_flows.protocol.pool_messages import Enqueue, Enqueued, Withdraw
from promptops_flows.protocol.run_request import RunRequest

_SECONDS = 20.0
LOST = "The worker that had this run is gone; another flow run continues it"
_CANCELLED = (StateType.CANCELLED, StateType.CANCELLING)


class PoolQueue:
    """Adds runs to work pools, which are created if they don't exist."""

    def __init__(self, client: PrefectClient, creator: FlowRunCreator, gate: PrefectGate) -> None:
        self._client = client
        self._creator = creator
        self._gate = gate
        self._pools = WorkPools(PrefectApi(client))

    async def put(
        self, asked: Enqueue, compiled: CompiledRun, shown: dict[str, Any], tags: list[str]
    ) -> Enqueued:
        """Raises `RunRefusedError` and `RunUnavailableError`."""
        async with self._translated():
            await self._end_flow_run(asked.lost, Crashed(message=LOST))
            flow_run = await self._waiting(asked.run)
            if flow_run is None:
                flow_run = await self._create(asked, compiled, shown, tags)
        cancelled = flow_run.state_type in _CANCELLED
        is_over = not cancelled and flow_run.state_type in TERMINAL_STATES
        return Enqueued(str(flow_run.id), url_for(flow_run), cancelled, is_over)

    async def withdraw(self, asked: Withdraw) -> None:
        """Raises `RunUnavailableError`."""
        message = printable(f"Cancelled by {asked.by}", MESSAGE_CHARACTERS)
        async with self._translated():
            await self._end_flow_run(asked.flow_run_id, Cancelled(message=message))

    @asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_SECONDS):
                yield
        except httpx.HTTPStatusError as error:
            raise refusal_of(error) from error
        except PREFECT_ERRORS as error:
            self._gate.suspect()
            raise RunUnavailableError(
                f"Prefect did not take the run ({type(error).__name__})"
            ) from error

    async def _end_flow_run(self, flow_run_id: str | None, state: State[Any]) -> None:
        flow_run = await self._read(flow_run_id)
        if flow_run is not None and flow_run.state_type not in TERMINAL_STATES:
            await self._client.set_flow_run_state(flow_run.id, state, force=True)

    async def _waiting(self, request: RunRequest) -> FlowRun | None:
        """The request's flow run, if it waits in the pool or was cancelled."""
        flow_run = await self._read(request.flow_run_id)
        if flow_run is None or flow_run.state_type in _CANCELLED:
            return flow_run
        if flow_run.work_pool_name != request.pool:
            # A flow run of a schedule or a trigger: Prefect can't move flow runs between pools.
            message = f"Executed in the work pool {request.pool}"
            await self._end_flow_run(request.flow_run_id, Completed(message=message))
            return None
        if flow_run.state_type == StateType.PAUSED:
            await self._continue(flow_run)
            return flow_run
        return flow_run if flow_run.state_type == StateType.SCHEDULED else None

    async def _continue(self, flow_run: FlowRun) -> None:
        """Queue a suspended flow run again after the decision."""
        # First, since the watcher of suspended flow runs would suspend it again.
        await self._client.update_flow_run(flow_run.id, tags=untagged(flow_run.tags))
        state: State[Any] = Scheduled(message=CONTINUES)
        await self._client.set_flow_run_state(flow_run.id, state, force=True)

    async def _read(self, flow_run_id: str | None) -> FlowRun | None:
        if flow_run_id is None:
            return None
        try:
            return await self._client.read_flow_run(UUID(flow_run_id))
        except (ObjectNotFound, ValueError):
            return None  # deleted in Prefect

    async def _create(
        self, asked: Enqueue, compiled: CompiledRun, shown: dict[str, Any], tags: list[str]
    ) -> FlowRun:
        pool = asked.run.pool
        assert pool is not None
        create = partial(
            self._creator.create,
            compiled.flow,
            name=compiled.flow_run_name,
            parameters=shown,
            context={},
            tags=tags,
            queued=Queued(pool, f"{asked.run.run_id}.{asked.number}"),
        )
        try:
            return await create()
        except httpx.HTTPStatusError as error:
            if not is_missing(error):
                raise
        await self._pools.ensure(pool)
        return await create()


def refusal_of(error: httpx.HTTPStatusError) -> Exception:
    """The error of a run for an error response of Prefect."""
    status = error.response.status_code
    if status in (400, 409, 422):
        return RunRefusedError(f"Prefect refuses the run (HTTP {status})")
    return RunUnavailableError(f"Prefect did not take the run (HTTP {status})")
