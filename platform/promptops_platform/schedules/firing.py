"""Decides what a due flow run of a schedule becomes: a run, or a message in Prefect."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission, Role
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.deployments.claims import AlreadyClaimed, FlowRunClaims
from promptops_platform.deployments.kinds import DueAnswer, DueRun, later, refused, taken
from promptops_platform.deployments.service import Deployments
from promptops_platform.errors import (
    DatabaseUnavailable,
    EngineNotReady,
    PlatformError,
    TooManyRequests,
)
from promptops_platform.execution.cancelling import RunCancels
from promptops_platform.execution.order import RunOrder
from promptops_platform.runlog.new_run import RunOrigin
from promptops_platform.runlog.tables import RunRow
from promptops_platform.schedules import repository
from promptops_platform.schedules.service import ScheduleService, target_of
from promptops_platform.schedules.tables import KIND, ScheduleRow
from promptops_platform.schedules.timetables import timetable_of
from promptops_platform.schedules.waiting_times import WaitingTimes
from promptops_platform.targets.run_targets import RunTargets

log = structlog.get_logger(__name__)

# A time that passed by more than this was missed.
MISSED = timedelta(minutes=1)
REPLACE_SECONDS = 1.0


class PreviousRunActive(Exception):
    """The previous run has not ended."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id


class RunRefused(Exception):
    """Nothing is started; the message is the reason."""


class ScheduleFiring:
    """Decides about one flow run per schedule at a time."""

    def __init__(
        self,
        *,
        database: Database,
        schedules: ScheduleService,
        deployments: Deployments,
        claims: FlowRunClaims,
        targets: RunTargets,
        cancels: RunCancels,
    ) -> None:
        self._database = database
        self._schedules = schedules
        self._deployments = deployments
        self._claims = claims
        self._targets = targets
        self._cancels = cancels
        self._waiting = WaitingTimes()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def due(self, due: DueRun) -> DueAnswer:
        """Implements `DeploymentKind.due`."""
        async with self._turns[due.ref]:
            async with self._database.read() as transaction:
                row = await repository.find(transaction.session, due.ref)
            if row is None:
                return refused("The schedule has been deleted")
            try:
                answer = await self._decide(row, due)
            except AlreadyClaimed:
                self._waiting.forget(due.ref, [due.flow_run_id])
                raise
            self._waiting.answered(due, answer)
            if due.automatic and answer.outcome != "later":
                await self._settle(due, answer)
            return answer

    async def run_now(self, schedule_id: str, *, actor: Actor) -> RunRow:
        """Start a run of a schedule outside its times, even if another one is in progress. Raises
        NotFound, Forbidden, TooManyRequests, and BadRequest for a definition that can't run."""
        async with self._database.read() as transaction:
            row = await self._schedules.get(
                transaction, schedule_id, actor=actor, permission=Permission.SCHEDULES_WRITE
            )

        async def also(transaction: Transaction, run: RunRow) -> None:
            self._schedules.audited(transaction, row, actor, "run")
            self._schedules.announce(transaction, row)

        return await self._targets.submit(
            row.workspace_id,
            target_of(row),
            actor=actor,
            change=lambda order: _from(row, order),
            also=also,
        )

    async def _decide(self, row: ScheduleRow, due: DueRun) -> DueAnswer:
        if due.automatic:
            if reason := await self._missed(row, due):
                return refused(reason)
            if self._queues(row, due) and await self._is_overtaking(due):
                return later(
                    "Earlier times of the schedule are waiting", self._waiting.seconds(due)
                )
        return await self._try(row, due)

    async def _is_overtaking(self, due: DueRun) -> bool:
        if earlier := self._waiting.before(due):
            async with self._database.read() as transaction:
                self._waiting.forget(due.ref, await self._claims.claimed(transaction, earlier))
        return self._waiting.is_overtaking(due)

    async def _try(self, row: ScheduleRow, due: DueRun) -> DueAnswer:
        try:
            await self._start(row, due)
        except PreviousRunActive as error:
            return await self._overlapping(row, due, error.run_id)
        except RunRefused as error:
            return refused(str(error))
        except (TooManyRequests, DatabaseUnavailable):
            raise
        except PlatformError as error:
            await self._note(row, error.sentence)
            return refused(f"The run was not started: {error.sentence}")
        return taken()

    async def _missed(self, row: ScheduleRow, due: DueRun) -> str | None:
        """Return why a time that has passed is skipped."""
        now = self._schedules.now()
        is_missed = now - due.scheduled_at > MISSED and not due.waited
        if not is_missed or row.catch_up == "all":
            return None
        if row.catch_up == "skip":
            return "The time passed while nothing ran; the schedule skips such times"
        try:
            after = due.scheduled_at + timedelta(milliseconds=1)
            (times,) = await self._deployments.next_times(
                [timetable_of(row)], 1, after=after, until=now
            )
        except EngineNotReady:
            return None
        return "The time passed while nothing ran; a later missed time is run" if times else None

    async def _start(self, row: ScheduleRow, due: DueRun) -> None:
        claim = self._claims.claiming(due)

        async def also(transaction: Transaction, run: RunRow) -> None:
            await self._require(transaction, row.id, due, run)
            await claim(transaction, run)
            self._schedules.announce(transaction, row)

        target = target_of(row)
        if due.parameters:
            target = replace(target, variables={**target.variables, **due.parameters})
        await self._targets.submit(
            row.workspace_id,
            target,
            actor=Actor(f"schedule {row.key}", Role.ADMIN),
            change=lambda order: due.on(_from(row, order)),
            also=also,
        )

    async def _require(
        self, transaction: Transaction, schedule_id: str, due: DueRun, run: RunRow
    ) -> None:
        """Check again, while no other replica can decide about the same schedule."""
        session = transaction.session
        row = await repository.find(session, schedule_id, lock=True)
        # Before the check for unfinished runs, so that this flow run's own run is not taken for
        # one.
        await self._claims.require_free(transaction, due)
        if row is None or (due.automatic and row.paused):
            raise RunRefused("The schedule is paused or deleted")
        if due.automatic and await repository.has_run_at(session, schedule_id, due.scheduled_at):
            raise RunRefused("This time of the schedule was already run")
        running = [at for at in await repository.unfinished_runs(session, row.id) if at != run.id]
        if running and due.automatic:
            raise PreviousRunActive(running[0])

    def _queues(self, row: ScheduleRow, due: DueRun) -> bool:
        """Whether a time waits for the previous run: missed times become due together."""
        is_late = self._schedules.now() - due.scheduled_at > MISSED
        return row.overlap == "queue" or (row.catch_up == "all" and is_late)

    async def _overlapping(self, row: ScheduleRow, due: DueRun, run_id: str) -> DueAnswer:
        in_progress = f"The previous run, {run_id}, is still in progress"
        if self._queues(row, due):
            self._waiting.waits(due)
            return later(in_progress, self._waiting.seconds(due))
        if row.overlap == "skip":
            return refused(f"{in_progress}; the schedule skips such times")
        try:
            await self._cancels.cancel(run_id, actor=Actor(f"schedule {row.key}", Role.ADMIN))
        except PlatformError as error:
            log.info("run_not_replaced", run=run_id, reason=error.sentence)
        return later(f"The previous run, {run_id}, is being cancelled", REPLACE_SECONDS)

    async def _settle(self, due: DueRun, answer: DueAnswer) -> None:
        problem = "" if answer.outcome == "taken" else None
        async with self._database.write(background=True) as transaction:
            await repository.settle(transaction.session, due.ref, due.scheduled_at, problem)

    async def _note(self, row: ScheduleRow, problem: str) -> None:
        async with self._database.write(background=True) as transaction:
            current = await repository.find(transaction.session, row.id, lock=True)
            if current is not None and current.problem != problem:
                current.problem = problem
                self._schedules.announce(transaction, current)


def _from(row: ScheduleRow, order: RunOrder) -> RunOrder:
    inputs: Mapping[str, Any] = order.inputs or {
        "variables": order.request.variables,
        "version": order.request.version,
    }
    origin = RunOrigin(KIND, row.id, row.key)
    return replace(order, origin=origin, inputs={**inputs, "schedule": row.key})
