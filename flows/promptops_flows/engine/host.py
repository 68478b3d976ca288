"""The Prefect half of the engine: its client, its gate, its runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from promptops_flows.engine.flow_runs import open_flow_runs
from promptops_flows.engine.logs import take_over_prefect_logging
from promptops_flows.engine.prefect_gate import PrefectGate
from promptops_flows.engine.server import EngineServer
from promptops_flows.engine.settings import EngineSettings


@asynccontextmanager
async def prefect_behind(server: EngineServer, settings: EngineSettings) -> AsyncIterator[None]:
    """Inside, the server takes runs whenever Prefect answers."""
    take_over_prefect_logging()
    gate = PrefectGate()
    async with open_flow_runs(gate, settings) as runs:
        watch = asyncio.create_task(gate.watch())
        server.runs, server.readiness = runs, gate
        yield
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
