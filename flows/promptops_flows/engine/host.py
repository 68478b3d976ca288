"""The half of the engine that takes seconds to load: Prefect's client, its gate, the runs, and
the model gateway and the tools' client that they share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from promptops_flows.engine.flow_runs import open_flow_runs
from promptops_flows.engine.logs import take_over_prefect_logging
from promptops_flows.engine.prefect_gate import PrefectGate
from promptops_flows.engine.server import EngineServer
from promptops_flows.engine.settings import EngineSettings
from promptops_flows.http_tools import ToolClient
from promptops_providers.pooled_gateway import Gateway


@asynccontextmanager
async def prefect_behind(server: EngineServer, settings: EngineSettings) -> AsyncIterator[None]:
    """Inside, the server takes runs whenever Prefect answers."""
    take_over_prefect_logging()
    gate = PrefectGate()
    async with (
        Gateway(settings.address_policy) as gateway,
        ToolClient(settings.tool_policy) as tools,
        open_flow_runs(gate, gateway, tools, settings) as runs,
    ):
        watch = asyncio.create_task(gate.watch())
        server.runs, server.readiness = runs, gate
        yield
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
