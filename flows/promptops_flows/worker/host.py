"""The part of a worker that takes seconds to load: Prefect's client and the run engine."""

from __future__ import annotations

import asyncio
import logging

from prefect.client.orchestration import get_client

from promptops_flows.engine.host import open_runs
from promptops_flows.engine.logs import log
from promptops_flows.telemetry.call_counts import CallCounts
from promptops_flows.worker.platform_client import PlatformClient, RunLost
from promptops_flows.worker.pool import WorkPool
from promptops_flows.worker.settings import WorkerSettings
from promptops_flows.worker.worker import Worker


async def serve(
    settings: WorkerSettings, client: PlatformClient, stop: asyncio.Event
) -> str | None:
    """Execute runs until `stop`; returns the reason if the platform refuses the worker."""

    engine = settings.engine
    async with (
        open_runs(engine, CallCounts(), None) as (runs, readiness),
        get_client() as prefect,
    ):
        pool = WorkPool(prefect, settings.pool, settings.name)
        worker = Worker(client, runs, readiness, pool, engine.concurrency)
        log(logging.INFO, "worker.ready", pool=settings.pool, name=settings.name)
        if settings.flow_run_id is None:
            await worker.work(stop, engine.drain_seconds)
        else:
            try:
                await worker.execute_one(settings.flow_run_id, stop)
            except RunLost as error:
                log(logging.WARNING, "worker.run_lost", reason=str(error))
        return worker.refused
