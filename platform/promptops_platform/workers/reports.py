"""Records the events that workers report of their runs, in the same form as events of the
engine."""

from dataclasses import dataclass, replace

from promptops_flows.protocol.engine_client import RunEvent, RunFinished, RunSuspended
from promptops_flows.protocol.engine_protocol import EngineProtocolError, decode
from promptops_platform.access.actor import Actor
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.errors import BadRequest, Conflict
from promptops_platform.execution.attempt import PLAN_GONE, AttemptReader
from promptops_platform.execution.followers import RunFollower, RunOutcome
from promptops_platform.execution.following import LOST, InnerPlaces, cancelled, crashed, noted
from promptops_platform.execution.pooled_runs import PooledRuns
from promptops_platform.execution.run_end import RunEnd, RunEnds
from promptops_platform.execution.run_feed import RunFeeds
from promptops_platform.execution.step_records import StepRecords
from promptops_platform.execution.stored_runs import StoredRuns
from promptops_platform.execution.suspending import Suspension, Suspensions
from promptops_platform.runlog.service import RunLog
from promptops_platform.runlog.tables import RunRow
from promptops_platform.runlog.under_way import RunsUnderWay, RunTakenOver
from promptops_platform.workers.repository import RUNNING
from promptops_platform.workers.schemas import RunReport
from promptops_platform.workers.service import WorkerService


@dataclass(frozen=True, slots=True)
class _Batch:
    """The new part of a report, after the event number `sequence`."""

    sequence: int
    outcome: RunOutcome
    records: StepRecords
    happened: list[RunEvent]
    size: int

    @property
    def has_ended(self) -> bool:
        return self.outcome.end is not LOST

    @property
    def waits(self) -> bool:
        """Whether the run waits for people from now on."""
        return bool(self.outcome.approvals)


class _Collector(RunFollower):
    """Collects events until they are stored."""

    def __init__(self) -> None:
        self.events: list[RunEvent] = []

    def happened(self, event: RunEvent) -> None:
        self.events.append(event)


class WorkerReports:
    """Any replica accepts any report, because everything it needs is in the database."""

    def __init__(
        self,
        *,
        database: Database,
        workers: WorkerService,
        pooled: PooledRuns,
        reader: AttemptReader,
        runs: RunLog,
        under_way: RunsUnderWay,
        stored: StoredRuns,
        ends: RunEnds,
        suspensions: Suspensions,
        feeds: RunFeeds,
    ) -> None:
        self._database = database
        self._workers = workers
        self._pooled = pooled
        self._reader = reader
        self._runs = runs
        self._under_way = under_way
        self._stored = stored
        self._ends = ends
        self._suspensions = suspensions
        self._feeds = feeds

    async def report(self, run_id: str, report: RunReport, *, actor: Actor) -> str | None:
        """Record the new events; returns who wants the run to end.

        Raises BadRequest for events that can't be read or are missing, and Conflict if the run
        doesn't belong to that worker.
        """
        events = _decoded(report.events)
        try:
            while True:
                batch = await self._new(run_id, report, events, actor)
                if isinstance(batch, RunRow):
                    return batch.cancel_requested_by
                if (row := await self._written(run_id, report, batch)) is not None:
                    break
        except RunTakenOver as error:
            raise Conflict(f"run {run_id!r} has ended or now belongs to another worker") from error
        self._show(run_id, batch.happened)
        return row.cancel_requested_by

    async def _new(
        self, run_id: str, report: RunReport, events: list[RunEvent], actor: Actor
    ) -> _Batch | RunRow:
        """Return the new part; the run if there is none. Raises RunTakenOver."""
        async with self._database.read() as transaction:
            await self._workers.find(transaction, report.worker, actor=actor)
            row = await transaction.session.get(RunRow, run_id)
            if row is not None and _ended_as_reported(row, report):
                # The response to its end was lost on the way.
                return row
            row = await self._pooled.require_attempt(
                transaction, run_id, report.worker, report.attempt
            )
            pooled = await self._pooled.find(transaction, run_id)
            logged = await self._under_way.logged_steps(transaction, run_id)
        if report.first > pooled.sequence + 1:
            raise BadRequest(f"first: the events from {pooled.sequence + 1} on are missing")
        fresh = events[pooled.sequence + 1 - report.first :]
        if not fresh:
            return row
        inner = InnerPlaces(pooled.inner_steps, pooled.inner_shift)
        records = StepRecords(self._runs, self._under_way, self._stored, run_id, logged=logged)
        outcome = RunOutcome(run_id, row.flow_run_id or "", row.flow_run_url, LOST)
        collector = _Collector()
        for raw_event in fresh:
            event = inner.moved(raw_event) if inner.shift else raw_event
            outcome = noted(event, outcome, collector, records, self._under_way.now)
        return _Batch(pooled.sequence, outcome, records, collector.events, len(fresh))

    async def _written(self, run_id: str, report: RunReport, batch: _Batch) -> RunRow | None:
        """Write the batch; None if it has been written meanwhile."""
        async with self._database.write(background=True) as transaction:
            row = await self._pooled.require_attempt(
                transaction, run_id, report.worker, report.attempt
            )
            pooled = await self._pooled.find(transaction, run_id)
            if pooled.sequence != batch.sequence:
                return None
            pooled.sequence += batch.size
            if batch.waits:
                await self._suspend(transaction, row, report, batch)
            elif not batch.has_ended:
                await batch.records.write_rest(transaction, completed=False)
            elif batch.outcome.end.state == "crashed":
                await batch.records.write_rest(transaction, completed=False)
                await self._pooled.release(transaction, run_id, report.worker, counted=True)
            else:
                await self._end(transaction, row, report, batch, batch.outcome.end)
        if batch.has_ended or batch.waits:
            self._pooled.wake()
        return row

    async def _suspend(
        self, transaction: Transaction, row: RunRow, report: RunReport, batch: _Batch
    ) -> None:
        plan = await self._stored.readable_plan(transaction, row.id)
        if plan is None or row.cancel_requested_by is not None:
            by = row.cancel_requested_by
            end = cancelled(by) if by else crashed(PLAN_GONE)
            await self._end(transaction, row, report, batch, end)
            return
        follower = self._reader.follower(row, plan)
        suspension = Suspension(batch.outcome, plan, follower, batch.records)
        await self._suspensions.write(transaction, row, suspension)
        await self._pooled.suspend(transaction, row)

    async def _end(
        self,
        transaction: Transaction,
        row: RunRow,
        report: RunReport,
        batch: _Batch,
        run_end: RunFinished,
    ) -> None:
        plan = await self._stored.readable_plan(transaction, row.id)
        follower = self._reader.follower(row, plan) if plan else RunFollower()
        outcome = replace(batch.outcome, end=run_end, approvals=())
        # Prefect shows it as suspended, if it was to wait.
        flow_run_id = row.flow_run_id if batch.waits else None
        end = RunEnd(
            outcome, follower, batch.records, plan, flow_run_id=flow_run_id, instance=report.worker
        )
        await self._ends.write(transaction, end)

    def _show(self, run_id: str, happened: list[RunEvent]) -> None:
        """Show events to those who follow the run at this replica; at other replicas they see what
        is stored."""
        with self._feeds.following(run_id, RunFollower()) as feed:
            for event in happened:
                feed.happened(event)


def _decoded(lines: list[str]) -> list[RunEvent]:
    events: list[RunEvent] = []
    for number, line in enumerate(lines, 1):
        try:
            event = decode(line.encode("utf-8", "surrogatepass"))
        except EngineProtocolError as error:
            raise BadRequest(f"events: event {number} can't be read: {error}") from error
        if not isinstance(event, RunEvent):
            raise BadRequest(f"events: event {number} does not belong to a run")
        if isinstance(event, RunFinished | RunSuspended) and number < len(lines):
            raise BadRequest(f"events: event {number} is the last of the run, and others follow it")
        events.append(event)
    return events


def _ended_as_reported(row: RunRow, report: RunReport) -> bool:
    mine = row.instance == report.worker and row.attempt == report.attempt
    return mine and row.status != RUNNING
