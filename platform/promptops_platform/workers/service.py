"""Registers workers, and tells each what to do about its runs."""

from datetime import timedelta

from promptops_platform.access.actor import Actor
from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.errors import Conflict
from promptops_platform.runlog.tables import RunRow
from promptops_platform.workers import repository
from promptops_platform.workers.repository import RUNNING
from promptops_platform.workers.schemas import (
    Heartbeat,
    PrefectAccess,
    RunningRun,
    Worker,
    WorkerHello,
    WorkerRunState,
)
from promptops_platform.workers.tables import WorkerRow


class WorkerService:
    """`prefect` is how workers reach Prefect, if that is known."""

    def __init__(self, *, clock: Clock, lost_seconds: float, prefect: PrefectAccess | None) -> None:
        self.prefect = prefect
        self.lost_after = timedelta(seconds=lost_seconds)
        self._clock = clock

    async def register(
        self, transaction: Transaction, hello: WorkerHello, *, actor: Actor
    ) -> PrefectAccess | None:
        """Register a worker; raises Conflict if its id is that of a worker with another API key."""
        await self._seen(transaction, hello, running=0, actor=actor)
        return self.prefect

    async def heartbeat(
        self, transaction: Transaction, heartbeat: Heartbeat, *, actor: Actor
    ) -> list[WorkerRunState]:
        """Record that a worker is alive; returns the runs that it has to do something about."""
        running = len(heartbeat.running)
        await self._seen(transaction, heartbeat, running=running, actor=actor)
        rows = await repository.runs(transaction.session, [run.run_id for run in heartbeat.running])
        states = [_state_of(run, rows.get(run.run_id), heartbeat.id) for run in heartbeat.running]
        return [state for state in states if state.is_lost or state.cancelled_by is not None]

    async def leave(self, transaction: Transaction, worker_id: str, *, actor: Actor) -> None:
        """Record that a worker stops: its remaining runs go to others immediately."""
        row = await self.find(transaction, worker_id, actor=actor)
        row.seen_at = self._clock.now() - self.lost_after - timedelta(seconds=1)

    async def find(self, transaction: Transaction, worker_id: str, *, actor: Actor) -> WorkerRow:
        """Return a worker of the caller's key; raises Conflict for an unknown one."""
        row = await repository.worker(transaction.session, worker_id)
        if row is None or row.key_id != actor.key_id:
            raise Conflict("the worker is unknown; it has to register first")
        return row

    async def list_workers(self, transaction: Transaction) -> list[Worker]:
        """Return the workers that were seen recently."""
        lost_before = self._clock.now() - self.lost_after
        return [
            Worker.of(row, is_online=row.seen_at >= lost_before)
            for row in await repository.workers(transaction.session)
        ]

    async def count_waiting(self, transaction: Transaction) -> dict[str, int]:
        """Return how many runs wait for a worker, by pool."""
        return await repository.waiting_by_pool(transaction.session)

    async def _seen(
        self, transaction: Transaction, hello: WorkerHello, *, running: int, actor: Actor
    ) -> None:
        row = await repository.worker(transaction.session, hello.id)
        now = self._clock.now()
        if row is None:
            row = WorkerRow(
                **hello.model_dump(include=set(WorkerHello.model_fields)),
                key_id=actor.key_id,
                running=running,
                started_at=now,
                seen_at=now,
            )
            transaction.session.add(row)
        elif row.key_id != actor.key_id:
            raise Conflict("a worker with this id has another API key; start the worker again")
        row.running, row.seen_at = running, now


def _state_of(run: RunningRun, row: RunRow | None, worker_id: str) -> WorkerRunState:
    is_lost = (
        row is None
        or row.status != RUNNING
        or row.instance != worker_id
        or row.attempt != run.attempt
    )
    cancelled_by = None if row is None or is_lost else row.cancel_requested_by
    return WorkerRunState(
        run_id=run.run_id, attempt=run.attempt, is_lost=is_lost, cancelled_by=cancelled_by
    )
