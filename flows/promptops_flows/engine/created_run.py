"""Prefect's engine for a flow run that this process has just created and executes alone.

Prefect's own engine updates and re-reads a flow run first, since others may have changed it; these
are two requests that each run would have to wait for.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.flow_engine import AsyncFlowRunEngine
from prefect.flows import Flow


async def run_created_flow(flow: Flow[Any, Any], flow_run: FlowRun) -> State[Any]:
    """Execute a flow without parameters as that flow run; returns its final state."""
    engine = _CreatedRunEngine(flow=flow, created=flow_run)
    async with engine.start():
        while engine.is_running():
            async with engine.run_context():
                # Prefect's types don't say that the result is a coroutine if the flow is one.
                await cast("Awaitable[Any]", engine.call_flow_fn())
    return engine.state


@dataclass
class _CreatedRunEngine(AsyncFlowRunEngine[[], Any]):
    created: FlowRun | None = None

    async def create_flow_run(self, client: PrefectClient) -> FlowRun:
        assert self.created is not None
        return self.created

    async def set_state(self, state: State[Any], force: bool = False) -> State[Any]:
        # Prefect suspends only runs that it could restart by itself, from a deployment.
        return await super().set_state(state, force=force or state.is_paused())

    async def begin_run(self) -> State[Any]:
        state = await super().begin_run()
        assert self.flow_run is not None
        # Matches the server's count: task runs are shown under the flow run's attempt of that
        # number.
        self.flow_run.run_count += state.is_running()
        return state

    @asynccontextmanager
    async def setup_run_context(self, client: PrefectClient | None = None) -> AsyncIterator[None]:
        async with super().setup_run_context(_with_flow_run(client or self.client, self.flow_run)):
            yield


def _with_flow_run(client: PrefectClient, flow_run: FlowRun | None) -> PrefectClient:
    """A client that returns this flow run without a request."""
    assert flow_run is not None

    async def read_flow_run(_: UUID) -> FlowRun:
        return flow_run

    patched = copy.copy(client)
    patched.read_flow_run = read_flow_run  # type: ignore[method-assign,assignment]
    return patched
