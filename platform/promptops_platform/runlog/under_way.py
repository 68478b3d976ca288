"""Active runs, and which platform executes them.

Only one platform executes a run at a time. Each change requires that the run still belongs to the
platform, since others take over the runs of a platform that they consider dead.
"""

from datetime import datetime

from promptops_platform.clock import Clock
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.runlog import repository
from promptops_platform.runlog.events import RunEvents
from promptops_platform.runlog.tables import RunRow

# The owner of a run that waits in a work pool.
UNCLAIMED = ""


class RunTakenOver(Exception):
    """The run has ended, is deleted, or is executed by another platform now."""


class RunsUnderWay:
    """Active runs of `instance`, a platform or a worker, and of others that died."""

    def __init__(self, *, clock: Clock, instance: str, events: RunEvents) -> None:
        self._clock = clock
        self._instance = instance
        self._events = events

    def of(self, instance: str | None) -> "RunsUnderWay":
        """Return the same for a worker, or for unclaimed runs with UNCLAIMED; None is this platform
        itself."""
        if instance is None:
            return self
        return RunsUnderWay(clock=self._clock, instance=instance, events=self._events)

    def now(self) -> datetime:
        """The time to log runs with."""
        return self._clock.now()

    async def require_own(self, transaction: Transaction, run_id: str) -> None:
        """Lock the run until the commit; raises RunTakenOver."""
        if not await repository.is_executed_by(transaction.session, run_id, self._instance):
            raise RunTakenOver(run_id)

    async def find_own(self, transaction: Transaction, run_id: str) -> RunRow:
        """Return the run, locked; raises RunTakenOver."""
        row = await repository.run_now(transaction.session, run_id, lock=True)
        if row is None or row.status != repository.RUNNING or row.instance != self._instance:
            raise RunTakenOver(run_id)
        return row

    async def hand_over(
        self, transaction: Transaction, run_id: str, flow_run_id: str, flow_run_url: str | None
    ) -> None:
        """Record the flow run that executes the run in Prefect from now on; raises RunTakenOver."""
        row = await self.find_own(transaction, run_id)
        row.flow_run_id, row.flow_run_url = flow_run_id, flow_run_url
        self._announce(transaction, row)

    async def requeue(self, transaction: Transaction, run_id: str, *, counted: bool) -> None:
        """Record that the run is queued again, for one more attempt if it is counted; raises
        RunTakenOver."""
        row = await self.find_own(transaction, run_id)
        row.state, row.attempt = "queued", row.attempt + counted
        self._announce(transaction, row)

    async def lock(self, transaction: Transaction, run_id: str) -> RunRow | None:
        """Lock any run until the commit."""
        return await repository.run_now(transaction.session, run_id, lock=True)

    def suspend(self, transaction: Transaction, row: RunRow, *, waits: bool) -> None:
        """Record that a locked run waits for approvals, or is queued if it needn't wait; from now
        on no caller waits for its end."""
        row.is_detached = True
        row.state, row.attempt = "waiting" if waits else "queued", row.attempt + (not waits)
        self._announce(transaction, row)

    def resume(self, transaction: Transaction, row: RunRow) -> None:
        """Record that a locked run that waited for approvals is queued, at this platform or in its
        work pool."""
        row.state, row.attempt = "queued", row.attempt + 1
        row.instance = self._instance if row.pool is None else UNCLAIMED
        self._announce(transaction, row)

    async def is_waiting(self, transaction: Transaction, run_id: str) -> bool:
        """Whether one of our own runs waits for approvals."""
        row = await repository.run_now(transaction.session, run_id)
        return row is not None and row.state == "waiting" and row.instance == self._instance

    async def pass_on(self, transaction: Transaction, run_id: str, instance: str) -> RunRow:
        """Assign the run to a worker, or release it with UNCLAIMED; raises RunTakenOver."""
        row = await self.find_own(transaction, run_id)
        row.instance = instance
        return row

    async def request_cancel(self, transaction: Transaction, run_id: str, by: str) -> str | None:
        """Record who wants a run cancelled, and return who requested it first; None if it has
        ended."""
        row = await self.lock(transaction, run_id)
        if row is None or row.status != repository.RUNNING:
            return None
        if row.state == "waiting" and row.pool is None:
            # No platform executes it.
            row.instance = self._instance
        row.cancel_requested_by = row.cancel_requested_by or by
        return row.cancel_requested_by

    async def cancel_requests(self, transaction: Transaction) -> list[tuple[str, str]]:
        """Return our own runs that are to be cancelled, and who requested it."""
        return await repository.cancel_requests(transaction.session, self._instance)

    async def left(self, transaction: Transaction) -> list[RunRow]:
        """Return our own detached runs that have not ended, the oldest first; of those that wait
        for approvals only the ones that are to be cancelled."""
        return await repository.detached(transaction.session, self._instance)

    async def logged_steps(self, transaction: Transaction, run_id: str) -> set[int]:
        """Return the positions of the steps that earlier attempts have logged."""
        return await repository.positions(transaction.session, run_id)

    async def remove_step(self, transaction: Transaction, run_id: str, position: int) -> None:
        """Delete a step from the log, for another attempt at it."""
        await repository.remove_step(transaction.session, run_id, position)

    async def others(self, transaction: Transaction) -> set[str]:
        """Return the other platforms that have active runs."""
        return await repository.instances(transaction.session) - {self._instance}

    async def take_over(self, transaction: Transaction, dead: str) -> list[RunRow]:
        """Take over the runs of a dead platform, except for those that another platform takes
        over."""
        run_ids = await repository.take_over(transaction.session, dead, self._instance)
        rows = [await repository.run_now(transaction.session, run_id) for run_id in run_ids]
        return sorted((row for row in rows if row is not None), key=lambda row: row.created_at)

    def _announce(self, transaction: Transaction, row: RunRow) -> None:
        async def announce() -> None:
            self._events.started(row)

        transaction.after_commit(announce)
