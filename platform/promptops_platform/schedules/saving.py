"""Saves schedules after checking them against their definitions and, if it is available, against
Prefect."""

from collections.abc import Mapping
from typing import Any

from promptops_platform.access.actor import Actor
from promptops_platform.access.permissions import Permission
from promptops_platform.db.unit_of_work import Database
from promptops_platform.definitions.preconditions import require_newest
from promptops_platform.deployments.service import Deployments
from promptops_platform.errors import BadRequest, EngineNotReady
from promptops_platform.ids import new_id
from promptops_platform.schedules.schemas import ScheduleCreate, ScheduleEdit, ScheduleFields
from promptops_platform.schedules.service import ScheduleService, current, target_of
from promptops_platform.schedules.tables import KIND, ScheduleRow
from promptops_platform.schedules.timetables import (
    FIELDS,
    check_cron,
    check_timezone,
    timetable_of,
)
from promptops_platform.targets.run_targets import RunTargets
from promptops_platform.workspaces.environments import EnvironmentService
from promptops_platform.workspaces.service import WorkspaceService

# How long a response waits for Prefect to accept the schedule.
PUT_SECONDS = 2.0
SIMPLE = ("timezone", "variables", "paused", "catch_up", "overlap")


class ScheduleSaving:
    """Opens its own transactions, and none while it waits for Prefect."""

    def __init__(
        self,
        *,
        database: Database,
        schedules: ScheduleService,
        workspaces: WorkspaceService,
        environments: EnvironmentService,
        targets: RunTargets,
        deployments: Deployments,
    ) -> None:
        self._database = database
        self._schedules = schedules
        self._workspaces = workspaces
        self._environments = environments
        self._targets = targets
        self._deployments = deployments

    async def create(
        self, body: ScheduleCreate, workspace: str | None, *, actor: Actor
    ) -> ScheduleRow:
        """Raises BadRequest, NotFound, Forbidden, and Conflict for a taken key."""
        name = body.workspace_id or body.workspace or workspace
        async with self._database.read() as transaction:
            place = await self._workspaces.find(transaction, name, actor=actor)
        now = self._schedules.now()
        row = ScheduleRow(
            id=new_id(),
            workspace_id=place.id,
            key=body.key,
            anchor=now,
            settled_at=now,
            problem="",
            revision=1,
            created_by=actor.name,
            updated_by=actor.name,
            created_at=now,
            updated_at=now,
        )
        values = await self._values(place.id, body, actor)
        missing = {"timezone": "UTC", "variables": {}, "paused": False}
        missing |= {"catch_up": "skip", "overlap": "skip"}
        for column, value in (missing | values).items():
            setattr(row, column, value)
        await self._check(row, body, actor)
        async with self._database.write() as transaction:
            await self._workspaces.find_for(
                transaction, place.id, Permission.SCHEDULES_WRITE, actor=actor
            )
            await self._schedules.add(transaction, row, actor=actor)
        await self._deployments.attempted(KIND, row.id, PUT_SECONDS)
        return row

    async def edit(
        self,
        schedule_id: str,
        body: ScheduleEdit,
        *,
        actor: Actor,
        seen: frozenset[int] | None = None,
    ) -> ScheduleRow:
        """Raises BadRequest, NotFound, Forbidden, and EditedMeanwhile if the schedule's revision is
        not one of `seen`."""
        mine = body.model_dump(mode="json", exclude_unset=True, exclude={"if_revision"})
        async with self._database.read() as transaction:
            old = await self._schedules.get(transaction, schedule_id, actor=actor)
        require_newest(old, seen, current(old), mine=mine)
        values = await self._values(old.workspace_id, body, actor, old)
        columns = {column.key: getattr(old, column.key) for column in ScheduleRow.__table__.columns}
        await self._check(ScheduleRow(**{**columns, **values}), body, actor)
        async with self._database.write() as transaction:
            row = await self._schedules.get(
                transaction,
                schedule_id,
                actor=actor,
                permission=Permission.SCHEDULES_WRITE,
                lock=True,
            )
            require_newest(row, seen, current(row), mine=mine)
            await self._schedules.edit(transaction, row, values, actor=actor)
        await self._deployments.attempted(KIND, row.id, PUT_SECONDS)
        return row

    async def _values(
        self,
        workspace_id: str,
        body: ScheduleFields,
        actor: Actor,
        old: ScheduleRow | None = None,
    ) -> dict[str, Any]:
        """Return the columns that the body changes."""
        values = {name: value for name in SIMPLE if (value := getattr(body, name)) is not None}
        values |= _timetable_values(body, required=old is None)
        values |= _target_values(body, required=old is None)
        if body.version is not None and body.env is not None:
            raise BadRequest(
                f"version: {body.version} was sent along with env {body.env!r}, and a schedule "
                "runs one of them; leave one out"
            )
        if body.version is not None or body.env is not None:
            values |= {"version": body.version, "env": body.env}
        elif old is None:
            values |= {"version": None, "env": await self._first(workspace_id, actor)}
        return values

    async def _first(self, workspace_id: str, actor: Actor) -> str:
        async with self._database.read() as transaction:
            rows = await self._environments.every(transaction, workspace_id, actor=actor)
        if not rows:
            raise BadRequest("env: the workspace has no environment; send a version")
        return rows[0].name

    async def _check(self, row: ScheduleRow, body: ScheduleFields, actor: Actor) -> None:
        check_timezone(row.timezone)
        if row.cron is not None:
            check_cron(row.cron)
        is_target_sent = any(
            getattr(body, name) is not None
            for name in ("workflow", "agent", "version", "env", "variables")
        )
        if is_target_sent:
            await self._targets.check(row.workspace_id, target_of(row), actor=actor)
        try:
            await self._deployments.next_times([timetable_of(row)], 1, after=self._schedules.now())
        except EngineNotReady:
            return  # Prefect reports an invalid timetable later
        except BadRequest as error:
            field = next(name for name in FIELDS if getattr(row, name) is not None)
            raise BadRequest(f"{field}: {error.sentence}") from error


def _timetable_values(body: ScheduleFields, *, required: bool) -> Mapping[str, Any]:
    sent = [name for name in FIELDS if getattr(body, name) is not None]
    if len(sent) > 1 or (required and not sent):
        raise BadRequest(
            f"{' and '.join(sent) or 'cron'}: send exactly one of cron, interval_seconds and rrule"
        )
    return {name: getattr(body, name) for name in FIELDS} if sent else {}


def _target_values(body: ScheduleFields, *, required: bool) -> Mapping[str, Any]:
    sent = [name for name in ("workflow", "agent") if getattr(body, name) is not None]
    if len(sent) > 1 or (required and not sent):
        raise BadRequest(
            f"{' and '.join(sent) or 'workflow'}: name what to run, a workflow or an agent, by key"
        )
    return {"target_kind": sent[0], "target_key": getattr(body, sent[0])} if sent else {}
