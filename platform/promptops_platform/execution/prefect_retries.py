"""Retries runs when Retry is pressed in Prefect, and ends suspended runs that are cancelled
there."""

import asyncio

import structlog

from promptops_flows.processes.waiting import end_tasks
from promptops_flows.protocol.engine_client import CancelPressed, EngineClient, EngineError
from promptops_flows.telemetry.text_policy import TextPolicy
from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Role
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import Conflict, DatabaseUnavailable, PlatformError
from promptops_platform.execution.cancelling import RunCancels
from promptops_platform.execution.retrying import AskedRetry, RunRetries
from promptops_platform.execution.stored_runs import StoredRuns

log = structlog.get_logger(__name__)

# Everybody who can open Prefect is an admin there.
PREFECT = Actor("Prefect", Role.ADMIN)
AGAIN_SECONDS = 1.0
NOT_RETRYABLE = (
    "only a run that has ended without being completed, and whose checkpoints are still kept, can "
    "be retried"
)


class PrefectRetries:
    """The engine reports each press at least once; the flow run executes the retry."""

    def __init__(
        self,
        *,
        database: Database,
        engine: EngineClient,
        stored: StoredRuns,
        retries: RunRetries,
        cancels: RunCancels,
        texts: TextPolicy,
    ) -> None:
        self._database = database
        self._engine = engine
        self._stored = stored
        self._retries = retries
        self._cancels = cancels
        self._texts = texts
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch the engine."""
        self._task = asyncio.create_task(self._watch_forever(), name="prefect-retries")

    async def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            await end_tasks(self._task)
            self._task = None

    async def _watch_forever(self) -> None:
        while True:
            try:
                await self._watch()
            except EngineError:
                pass  # it is starting, or has ended
            except Exception:
                log.exception("prefect_retries_failed")
            await asyncio.sleep(AGAIN_SECONDS)

    async def _watch(self) -> None:
        watch = await self._engine.watch()
        try:
            async for pressed in watch.events():
                if isinstance(pressed, CancelPressed):
                    await self._cancel(pressed.flow_run_id)
                    continue
                reason = await self.retry(pressed.flow_run_id)
                if reason is not None:
                    fields = {"flow_run_id": pressed.flow_run_id, "reason": reason}
                    log.warning("retry_refused", **fields)
                    await watch.refuse_retry(pressed.flow_run_id, reason)
        finally:
            await watch.close()

    async def _cancel(self, flow_run_id: str) -> None:
        """End the run of a suspended flow run."""
        while True:
            try:
                async with self._database.read() as transaction:
                    run_id = await self._stored.find_suspended(transaction, flow_run_id)
                if run_id is not None:
                    await self._cancels.cancel(run_id, actor=PREFECT)
            except DatabaseUnavailable:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            except PlatformError as error:
                log.warning("cancel_refused", flow_run_id=flow_run_id, reason=error.sentence)
            return

    async def retry(self, flow_run_id: str) -> str | None:
        """Retry the run of a flow run; return the reason if it can't be retried."""
        while True:
            try:
                await self._retry(flow_run_id)
            except DatabaseUnavailable:
                await asyncio.sleep(AGAIN_SECONDS)
            except PlatformError as error:
                return self._texts.redact(error.sentence)
            else:
                return None

    async def _retry(self, flow_run_id: str) -> None:
        async with self._database.read() as transaction:
            pressed = await self._stored.find_by_flow_run(transaction, flow_run_id)
        if pressed is None:
            raise Conflict(NOT_RETRYABLE)
        run_id, is_under_way = pressed
        # A press is reported again while its retry is queued.
        if not is_under_way:
            asked = AskedRetry(flow_run_id=flow_run_id)
            await self._retries.retry(run_id, asked, actor=PREFECT)
