"""The half of the engine that takes seconds to load: Prefect's client, its gate, the runs, and
the model gateway and the tools' client that they share."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from promptops_flows.engine.flow_runs import open_flow_runs
from promptops_flows.engine.logs import take_over_prefect_logging
from promptops_flows.engine.prefect_gate import PrefectGate
from promptops_flows.engine.server import EngineServer
from promptops_flows.engine.settings import EngineSettings
from promptops_flows.http_tools import ToolClient
from promptops_flows.traced_calls import TracedCalls
from promptops_flows.tracing import tracing_of
from promptops_providers.observation import Observers
from promptops_providers.pooled_gateway import Gateway


@asynccontextmanager
async def prefect_behind(server: EngineServer, settings: EngineSettings) -> AsyncIterator[None]:
    """Inside, the server takes runs whenever Prefect answers."""
    take_over_prefect_logging()
    gate = PrefectGate()
    tracing = tracing_of(os.environ, service="promptops-engine")
    observer = Observers(server.counts, TracedCalls(tracing)) if tracing.is_on else server.counts
    async with (
        Gateway(settings.address_policy, observer=observer) as gateway,
        ToolClient(settings.tool_policy) as tools,
        open_flow_runs(gate, gateway, tools, tracing, settings) as runs,
    ):
        watch = asyncio.create_task(gate.watch())
        server.runs, server.readiness = runs, gate
        yield
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
    await tracing.close()
