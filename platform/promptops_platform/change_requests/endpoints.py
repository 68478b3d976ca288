"""Routes of change requests."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.change_requests.applying import Applying
from promptops_platform.change_requests.repository import RequestFilter
from promptops_platform.change_requests.scheduling import RequestSchedule
from promptops_platform.change_requests.schemas import (
    ApplyBody,
    ApproveBody,
    ChangeRequest,
    ChangeRequestDetail,
    CommentBody,
    ScheduleBody,
)
from promptops_platform.change_requests.service import ChangeRequestService
from promptops_platform.change_requests.tables import APPLIED, REJECTED, WITHDRAWN
from promptops_platform.db.pages import Part
from promptops_platform.field_types import OptionalLine, OptionalSearchTerm, ResourceId
from promptops_platform.http.envelope import Data, Page
from promptops_platform.http.paging import DEFAULT_PAGE, Limit, Offset
from promptops_platform.http.services import provided
from promptops_platform.http.transactions import Read, Write
from promptops_platform.workspaces.service import WorkspaceService

router = APIRouter(prefix="/api/change-requests", tags=["change_requests"])

Service = Annotated[ChangeRequestService, provided(ChangeRequestService)]
Workspaces = Annotated[WorkspaceService, provided(WorkspaceService)]
StateFilter = Literal["open", "applied", "rejected", "withdrawn", "closed"]
CLOSED = (APPLIED, REJECTED, WITHDRAWN)


@router.get("")
async def list_change_requests(
    service: Service,
    workspaces: Workspaces,
    transaction: Read,
    state: Annotated[
        StateFilter | None, Query(description="`closed` is any state but `open`.")
    ] = None,
    env: OptionalLine = None,
    q: Annotated[OptionalSearchTerm, Query(description="Text in the key.")] = None,
    resource: Annotated[
        OptionalLine, Query(description="The id of a prompt, an agent or a workflow.")
    ] = None,
    mine: Annotated[bool, Query(description="Only those that you have proposed.")] = False,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    limit: Limit = DEFAULT_PAGE,
    offset: Offset = 0,
    actor: Actor = permits(Permission.PROMPTS_READ),
) -> Page[ChangeRequest]:
    """List change requests, newest first."""
    workspace_id = None
    if workspace:
        workspace_id = (await workspaces.find(transaction, workspace, actor=actor)).id
    states = CLOSED if state == "closed" else None if state is None else (state,)
    author_id = actor.caller_id if mine else None
    filters = RequestFilter(workspace_id, env, states, resource, author_id, q)
    rows, total = await service.search(transaction, filters, Part(limit, offset), actor=actor)
    return Page(data=rows, total=total)


@router.get("/{request_id}")
async def get_change_request(
    request_id: ResourceId,
    service: Service,
    transaction: Read,
    actor: Actor = permits(Permission.PROMPTS_READ),
) -> Data[ChangeRequestDetail]:
    """Return a change request with its diff and its events."""
    return Data(data=await service.get(transaction, request_id, actor=actor))


@router.post("/{request_id}/comments", summary="Comment On Change Request")
async def comment_change_request(
    request_id: ResourceId,
    body: CommentBody,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Data[ChangeRequestDetail]:
    """Add a comment."""
    detail = await service.comment(transaction, request_id, body.comment, actor=actor)
    return Data(data=detail)


@router.post("/{request_id}/approve")
async def approve_change_request(
    request_id: ResourceId,
    service: Service,
    transaction: Write,
    body: ApproveBody | None = None,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Data[ChangeRequestDetail]:
    """Approve the request as it is now. The author and API keys can't approve; each person counts
    once."""
    comment = (body.comment if body else None) or ""
    return Data(data=await service.approve(transaction, request_id, comment, actor=actor))


@router.post("/{request_id}/reject")
async def reject_change_request(
    request_id: ResourceId,
    body: CommentBody,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Data[ChangeRequestDetail]:
    """Close the request without applying it. The comment gives the reason."""
    return Data(data=await service.reject(transaction, request_id, body.comment, actor=actor))


@router.post("/{request_id}/withdraw")
async def withdraw_change_request(
    request_id: ResourceId,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Data[ChangeRequestDetail]:
    """Withdraw your own request. Admins may withdraw any."""
    return Data(data=await service.withdraw(transaction, request_id, actor=actor))


@router.post("/{request_id}/refresh")
async def refresh_change_request(
    request_id: ResourceId,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Data[ChangeRequestDetail]:
    """Propose the same change again, based on what is served now. Existing approvals become
    void."""
    return Data(data=await service.refresh(transaction, request_id, actor=actor))


@router.post("/{request_id}/schedule")
async def schedule_change_request(
    request_id: ResourceId,
    body: ScheduleBody,
    schedule: Annotated[RequestSchedule, provided(RequestSchedule)],
    transaction: Write,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Data[ChangeRequestDetail]:
    """Apply the request at a later time, if it has its approvals by then and is not outdated;
    otherwise it stays open, and its events give the reason. `apply_at: null` cancels this."""
    detail = await schedule.schedule(transaction, request_id, body.apply_at, actor=actor)
    return Data(data=detail)


@router.post("/{request_id}/apply")
async def apply_change_request(
    request_id: ResourceId,
    applying: Annotated[Applying, provided(Applying)],
    transaction: Write,
    body: ApplyBody | None = None,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Data[ChangeRequestDetail]:
    """Make the proposed change. The response is a 409 if approvals are missing, if something else
    has been served since, or if somebody else applies it at the same time."""
    options = body or ApplyBody()
    detail = await applying.apply(
        transaction, request_id, actor=actor, bypass=options.bypass, reason=options.reason or ""
    )
    return Data(data=detail)
