"""Takes over the runs of replicas that died, and receives requests to cancel runs.

Only PostgreSQL supports several replicas.
"""

import asyncio

import structlog

from promptops_flows.processes.waiting import end_tasks
from promptops_platform.changes.replicas import Replicas
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import DatabaseUnavailable
from promptops_platform.execution.cancelling import RunCancels
from promptops_platform.execution.detached import DetachedRuns
from promptops_platform.execution.stored_runs import StoredRuns
from promptops_platform.runlog.service import RunLog
from promptops_platform.runlog.tables import RunRow
from promptops_platform.runlog.under_way import RunsUnderWay

log = structlog.get_logger(__name__)

CHECK_SECONDS = 1.0


class TakeOver:
    """Checks every second."""

    def __init__(
        self,
        *,
        database: Database,
        replicas: Replicas,
        runs: RunLog,
        under_way: RunsUnderWay,
        stored: StoredRuns,
        detached: DetachedRuns,
        cancels: RunCancels,
    ) -> None:
        self._database = database
        self._replicas = replicas
        self._runs = runs
        self._under_way = under_way
        self._stored = stored
        self._detached = detached
        self._cancels = cancels
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to check; does nothing if there is only one replica."""
        if self._replicas.is_shared:
            self._task = asyncio.create_task(self._look_forever(), name="take-over")

    async def stop(self) -> None:
        """Stop checking."""
        if self._task is not None:
            await end_tasks(self._task)
            self._task = None

    async def take_over_dead(self) -> list[RunRow]:
        """Continue what dead replicas have left, and end runs whose callers were connected to them;
        return the runs."""
        async with self._database.read() as transaction:
            dead = await self._under_way.others(transaction)
            dead = await self._replicas.dead_instances(transaction, dead)
        if not dead:
            return []
        taken: list[RunRow] = []
        async with self._database.write(background=True) as transaction:
            for instance in sorted(dead):
                taken += await self._under_way.take_over(transaction, instance)
            for row in taken:
                if not row.is_detached:
                    await self._runs.interrupt(transaction, row)
                    await self._stored.end(transaction, row.id, completed=False)
        for row in taken:
            if row.is_detached and row.state != "waiting":
                self._detached.take_up(row)
        if taken:
            log.warning("runs_taken_over", runs=len(taken))
        return taken

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                await self.take_over_dead()
                await self._cancels.carry_out_requests()
            except DatabaseUnavailable:
                log.warning("runs_not_taken_over")
            except Exception:
                log.exception("take_over_failed")
