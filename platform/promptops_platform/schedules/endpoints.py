"""Routes of schedules."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime
from starlette.responses import JSONResponse

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.access.schemas import Done
from promptops_platform.db.pages import Part
from promptops_platform.definitions.preconditions import IfMatch, etag, seen_revisions
from promptops_platform.errors import Conflict, TooManyRequests
from promptops_platform.execution.endpoints import ACCEPTED, accepted
from promptops_platform.execution.schemas import StartedRun
from promptops_platform.field_types import OptionalLine, OptionalSearchTerm, ResourceId
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.envelope import Data, Page
from promptops_platform.http.paging import paged_by
from promptops_platform.http.services import provided
from promptops_platform.http.transactions import Write
from promptops_platform.schedules.firing import ScheduleFiring
from promptops_platform.schedules.saving import ScheduleSaving
from promptops_platform.schedules.schemas import (
    Schedule,
    ScheduleCreate,
    ScheduleEdit,
    ScheduleTimes,
    TimetableCheck,
    TimetableTimes,
)
from promptops_platform.schedules.service import ScheduleService
from promptops_platform.schedules.views import ScheduleViews

router = APIRouter(prefix="/api/schedules", tags=["schedules"])

Service = Annotated[ScheduleService, provided(ScheduleService)]
Saving = Annotated[ScheduleSaving, provided(ScheduleSaving)]
Views = Annotated[ScheduleViews, provided(ScheduleViews)]
CALENDAR = timedelta(days=31)
InWorkspace = Annotated[OptionalLine, Query(description="Id or slug.")]


@router.get("")
async def list_schedules(
    views: Views,
    part: Annotated[Part, paged_by("key", "updated_at")],
    q: Annotated[OptionalSearchTerm, Query(description="Text in a key.")] = None,
    workflow: Annotated[
        OptionalLine, Query(description="Key of the workflow that they run.")
    ] = None,
    agent: Annotated[OptionalLine, Query(description="Key of the agent that they run.")] = None,
    paused: Annotated[
        bool | None, Query(description="Only those that are paused, or are not.")
    ] = None,
    workspace: InWorkspace = None,
    actor: Actor = permits(Permission.SCHEDULES_READ),
) -> Page[Schedule]:
    """List schedules by key, each with its next time and its last run. Without `limit`, all are
    returned."""
    target = ("workflow", workflow) if workflow else ("agent", agent) if agent else None
    data, total = await views.page(
        part, workspace, target=target, text=q, paused=paused, actor=actor
    )
    return Page(data=data, total=total)


@router.post("", responses=may_answer(Conflict))
async def create_schedule(
    body: ScheduleCreate,
    saving: Saving,
    views: Views,
    workspace: InWorkspace = None,
    actor: Actor = permits(Permission.SCHEDULES_WRITE),
) -> Data[Schedule]:
    """Create a schedule that runs an agent or a workflow at times. Without `version` and `env`, it
    runs what the first environment serves."""
    row = await saving.create(body, workspace, actor=actor)
    return Data(data=await views.one(row))


@router.get("/times", summary="List Schedule Times")
async def list_times(
    service: Service,
    views: Views,
    from_: Annotated[
        AwareDatetime | None, Query(alias="from", description="By default now.")
    ] = None,
    to: Annotated[AwareDatetime | None, Query(description="By default 31 days later.")] = None,
    workspace: InWorkspace = None,
    actor: Actor = permits(Permission.SCHEDULES_READ),
) -> Data[list[ScheduleTimes]]:
    """Return when schedules are due between two times at most a hundred days apart, at most the
    first 500 future times of each schedule, and the runs that they have started in between."""
    after = from_ or service.now()
    return Data(data=await views.times(workspace, after, to or after + CALENDAR, actor=actor))


@router.post("/preview", summary="Preview Schedule Times")
async def preview_times(
    body: TimetableCheck, views: Views, actor: Actor = permits(Permission.SCHEDULES_READ)
) -> Data[TimetableTimes]:
    """Return the next ten times of a timetable. Nothing is saved."""
    return Data(data=TimetableTimes(next=await views.preview(body)))


@router.get("/{schedule_id}")
async def get_schedule(
    schedule_id: ResourceId,
    response: Response,
    views: Views,
    actor: Actor = permits(Permission.SCHEDULES_READ),
) -> Data[Schedule]:
    """Return a schedule with its next ten times and its last ten runs. Its etag is the revision."""
    row = await views.find(schedule_id, actor=actor)
    response.headers["etag"] = etag(row)
    return Data(data=await views.one(row))


@router.put("/{schedule_id}", responses=may_answer(Conflict))
async def update_schedule(
    schedule_id: ResourceId,
    body: ScheduleEdit,
    response: Response,
    saving: Saving,
    views: Views,
    if_match: IfMatch = None,
    actor: Actor = permits(Permission.SCHEDULES_WRITE),
) -> Data[Schedule]:
    """Edit a schedule. The key can't be changed.

    With `if-match` or `if_revision`, the response is a 409 with both states if somebody else has
    changed it since.
    """
    seen = seen_revisions(if_match, body.if_revision)
    row = await saving.edit(schedule_id, body, actor=actor, seen=seen)
    response.headers["etag"] = etag(row)
    return Data(data=await views.one(row))


@router.delete("/{schedule_id}", responses=may_answer(Conflict))
async def delete_schedule(
    schedule_id: ResourceId,
    service: Service,
    transaction: Write,
    if_match: IfMatch = None,
    actor: Actor = permits(Permission.SCHEDULES_WRITE),
) -> Done:
    """Delete a schedule; its runs stay in the log."""
    seen = seen_revisions(if_match, None)
    await service.delete(transaction, schedule_id, actor=actor, seen=seen)
    return Done()


@router.post("/{schedule_id}/pause")
async def pause_schedule(
    schedule_id: ResourceId,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.SCHEDULES_WRITE),
) -> Done:
    """Pause a schedule. Pausing it again has no effect."""
    await service.set_paused(transaction, schedule_id, paused=True, actor=actor)
    return Done()


@router.post("/{schedule_id}/resume")
async def resume_schedule(
    schedule_id: ResourceId,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.SCHEDULES_WRITE),
) -> Done:
    """Resume a paused schedule from now on."""
    await service.set_paused(transaction, schedule_id, paused=False, actor=actor)
    return Done()


@router.post(
    "/{schedule_id}/run",
    status_code=202,
    response_model=None,
    responses={**may_answer(TooManyRequests), **ACCEPTED},
)
async def run_schedule(
    schedule_id: ResourceId,
    firing: Annotated[ScheduleFiring, provided(ScheduleFiring)],
    actor: Actor = permits(Permission.SCHEDULES_WRITE),
) -> JSONResponse:
    """Start a run of the schedule now, even if another one is in progress. The response doesn't
    wait for its end."""
    return accepted(StartedRun.of(await firing.run_now(schedule_id, actor=actor)))
