"""Schedules with their next times, their page in Prefect, and their runs."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from promptops_platform.access.actor import Actor
from promptops_platform.db.pages import WHOLE, Part
from promptops_platform.db.unit_of_work import Database, Transaction
from promptops_platform.deployments.service import Deployments
from promptops_platform.errors import BadRequest, EngineNotReady
from promptops_platform.schedules import repository
from promptops_platform.schedules.repository import StartedRun
from promptops_platform.schedules.schemas import (
    LAST_RUNS,
    NEXT_TIMES,
    Schedule,
    ScheduleTimes,
    TimetableCheck,
)
from promptops_platform.schedules.service import ScheduleService, target_of
from promptops_platform.schedules.tables import KIND, ScheduleRow
from promptops_platform.schedules.timetables import timetable_of
from promptops_platform.targets.run_targets import RunTargets
from promptops_platform.workspaces.service import WorkspaceService

# The limit per schedule in a calendar.
MOST_TIMES = 500
LONGEST_SPAN = timedelta(days=100)
LISTED_TIMES = 1


class ScheduleViews:
    """Asks the engine for times, outside of transactions."""

    def __init__(
        self,
        *,
        database: Database,
        schedules: ScheduleService,
        deployments: Deployments,
        targets: RunTargets,
        workspaces: WorkspaceService,
    ) -> None:
        self._workspaces = workspaces
        self._database = database
        self._schedules = schedules
        self._deployments = deployments
        self._targets = targets

    async def one(self, row: ScheduleRow) -> Schedule:
        """Return a schedule with its next ten times and its last ten runs."""
        return (await self._shown([row], NEXT_TIMES, LAST_RUNS))[0]

    async def find(self, schedule_id: str, *, actor: Actor) -> ScheduleRow:
        """Raises NotFound and Forbidden."""
        async with self._database.read() as transaction:
            return await self._schedules.get(transaction, schedule_id, actor=actor)

    async def page(
        self,
        part: Part,
        workspace: str | None,
        *,
        target: tuple[str, str] | None,
        text: str | None,
        paused: bool | None,
        actor: Actor,
    ) -> tuple[list[Schedule], int]:
        """Return schedules, each with its next time and its last run, and the total."""
        async with self._database.read() as transaction:
            rows, total = await self._schedules.search(
                transaction,
                part,
                workspace_id=await self._workspace_id(transaction, workspace, actor),
                target=target,
                text=text,
                paused=paused,
                actor=actor,
            )
        return await self._shown(rows, LISTED_TIMES, 1), total

    async def times(
        self, workspace: str | None, after: datetime, until: datetime, *, actor: Actor
    ) -> list[ScheduleTimes]:
        """Return the runs of schedules in that span, and the due times in its future part;
        schedules that are paused and have no runs are left out. Raises BadRequest for a span of
        more than a hundred days, and EngineNotReady."""
        if not timedelta(0) <= until - after <= LONGEST_SPAN:
            raise BadRequest("to: must be at most 100 days after from")
        async with self._database.read() as transaction:
            workspace_id = await self._workspace_id(transaction, workspace, actor)
            rows, _ = await self._schedules.search(
                transaction, WHOLE, workspace_id=workspace_id, target=None, text=None, actor=actor
            )
            ids = [row.id for row in rows]
            runs = await repository.runs_between(transaction.session, ids, after, until)
        active = [row for row in rows if not row.paused]
        times = await self._times_between(active, max(after, self._schedules.now()), until)
        return [
            ScheduleTimes.of(row, times.get(row.id, []), runs.get(row.id, []))
            for row in rows
            if row.id in times or row.id in runs
        ]

    async def _workspace_id(
        self, transaction: Transaction, workspace: str | None, actor: Actor
    ) -> str | None:
        if not workspace:
            return None
        return (await self._workspaces.find(transaction, workspace, actor=actor)).id

    async def _times_between(
        self, rows: Sequence[ScheduleRow], after: datetime, until: datetime
    ) -> dict[str, list[datetime]]:
        if not rows or after >= until:
            return {}
        times = await self._deployments.next_times(
            [timetable_of(row) for row in rows], MOST_TIMES, after=after, until=until
        )
        return {row.id: own for row, own in zip(rows, times, strict=True)}

    async def preview(self, check: TimetableCheck) -> list[datetime]:
        """Return the next ten times of a timetable that is being written; raises BadRequest and
        EngineNotReady."""
        now = self._schedules.now()
        row = ScheduleRow(**check.model_dump(), anchor=now)
        return (await self._deployments.next_times([timetable_of(row)], NEXT_TIMES, after=now))[0]

    async def _shown(
        self, rows: Sequence[ScheduleRow], next_times: int, last_runs: int
    ) -> list[Schedule]:
        async with self._database.read() as transaction:
            urls = await self._deployments.urls(transaction, KIND, [row.id for row in rows])
            problems = [await self._problem(transaction, row) for row in rows]
            runs: list[list[StartedRun]] = [
                await repository.last_runs(transaction.session, row.id, last_runs) for row in rows
            ]
        times = await self._times([row for row in rows if not row.paused], next_times)
        return [
            Schedule.shown(
                row,
                next_times=times.get(row.id, []),
                deployment_url=urls.get(row.id),
                problem=problem,
                runs=own,
            )
            for row, problem, own in zip(rows, problems, runs, strict=True)
        ]

    async def _times(self, rows: Sequence[ScheduleRow], count: int) -> dict[str, list[datetime]]:
        if not rows:
            return {}
        now = self._schedules.now()
        try:
            times = await self._deployments.next_times(
                [timetable_of(row) for row in rows], count, after=now
            )
        except (EngineNotReady, BadRequest):
            return {}
        return {row.id: own for row, own in zip(rows, times, strict=True)}

    async def _problem(self, transaction: Transaction, row: ScheduleRow) -> str | None:
        if not await self._targets.exists(transaction, row.workspace_id, target_of(row)):
            return f"{row.target_kind} {row.target_key!r} does not exist any more"
        return self._deployments.problem(KIND, row.id) or row.problem or None
