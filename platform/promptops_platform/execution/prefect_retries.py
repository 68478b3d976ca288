"""Retries the runs for which somebody presses Retry in Prefect."""

import asyncio
from contextlib import aclosing

import structlog

from promptops_flows.processes.waiting import end_tasks
from promptops_flows.protocol.engine_client import EngineClient, EngineError
from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Role
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable, PlatformError
from promptops_platform.execution.retrying import AskedRetry, RunRetries
from promptops_platform.execution.stored_runs import StoredRuns

log = structlog.get_logger(__name__)

# Who may see Prefect is an admin there.
PREFECT = Actor("Prefect", Role.ADMIN)
AGAIN_SECONDS = 1.0


class PrefectRetries:
    """The engine reports each press at least once; the flow run executes the retry."""

    def __init__(
        self,
        *,
        database: Database,
        engine: EngineClient,
        stored: StoredRuns,
        retries: RunRetries,
    ) -> None:
        self._database = database
        self._engine = engine
        self._stored = stored
        self._retries = retries
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch the engine."""
        self._task = asyncio.create_task(self._watch_forever(), name="prefect-retries")

    async def stop(self) -> None:
        """Watch no more."""
        if self._task is not None:
            await end_tasks(self._task)
            self._task = None

    async def _watch_forever(self) -> None:
        while True:
            try:
                async with aclosing(self._engine.watch()) as presses:
                    async for flow_run_id in presses:
                        if flow_run_id is not None:
                            await self._retry(flow_run_id)
            except EngineError:
                pass  # it is starting, or has ended
            except Exception:
                log.exception("prefect_retries_failed")
            await asyncio.sleep(AGAIN_SECONDS)

    async def _retry(self, flow_run_id: str) -> None:
        while True:
            try:
                async with self._database.read() as transaction:
                    run_id = await self._stored.find_by_flow_run(transaction, flow_run_id)
                if run_id is not None:
                    asked = AskedRetry(flow_run_id=flow_run_id)
                    await self._retries.retry(run_id, asked, actor=PREFECT)
            except DatabaseUnavailable:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            except PlatformError as error:
                # Nobody waits for an answer; a press may also come twice.
                log.warning("retry_refused", flow_run_id=flow_run_id, reason=error.sentence)
            return
