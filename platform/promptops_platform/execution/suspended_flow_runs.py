"""Makes Prefect show that suspended flow runs have ended, as soon as the engine is available."""

import asyncio

import structlog

from promptops_flows.processes.waiting import end_tasks
from promptops_flows.protocol.engine_client import EngineClient, EngineError
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.execution import repository
from promptops_platform.execution.tables import SuspendedFlowRunRow

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 1.0


class SuspendedFlowRuns:
    """Pending updates are in the database until Prefect has accepted them."""

    def __init__(self, database: Database, engine: EngineClient) -> None:
        self._database = database
        self._engine = engine
        # Set at the start, for updates that the last stop has left.
        self._has_news = asyncio.Event()
        self._has_news.set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to update Prefect."""
        self._task = asyncio.create_task(self._notify_forever(), name="suspended-flow-runs")

    async def stop(self) -> None:
        """Leave the rest to the next start."""
        if self._task is not None:
            await end_tasks(self._task)
            self._task = None

    async def end(self, transaction: Transaction, flow_run_id: str, message: str) -> None:
        """Record that the run of a suspended flow run ends in this transaction, or is deleted with
        its workspace."""
        await repository.remember_suspended(transaction.session, flow_run_id, message)

        async def notify() -> None:
            self._has_news.set()

        transaction.after_commit(notify)

    async def _notify_forever(self) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            try:
                await self._tell_all()
            except (EngineError, DatabaseUnavailable):
                await self._look_again()
            except Exception:
                log.exception("suspended_flow_runs_failed")
                await self._look_again()

    async def _look_again(self) -> None:
        await asyncio.sleep(AGAIN_SECONDS)
        self._has_news.set()

    async def _tell_all(self) -> None:
        while rows := await self._some():
            for row in rows:
                await self._engine.end_suspended(row.flow_run_id, row.message)
                async with self._database.write(background=True) as transaction:
                    await repository.forget_suspended(transaction.session, row.flow_run_id)

    async def _some(self) -> list[SuspendedFlowRunRow]:
        async with self._database.read() as transaction:
            return await repository.suspended_flow_runs(transaction.session)
