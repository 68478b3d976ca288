"""Routes of triggers."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.access.schemas import Done
from promptops_platform.db.pages import Part
from promptops_platform.definitions.preconditions import IfMatch, etag, seen_revisions
from promptops_platform.errors import BadRequest, Conflict
from promptops_platform.field_types import OptionalLine, OptionalSearchTerm, ResourceId
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.envelope import Data, Page
from promptops_platform.http.paging import paged_by
from promptops_platform.http.services import provided
from promptops_platform.http.transactions import Read, Write
from promptops_platform.triggers.firing_views import delivery_of
from promptops_platform.triggers.resending import Resending
from promptops_platform.triggers.schemas import (
    DeliverAction,
    Delivery,
    RunAction,
    SecretRotation,
    Trigger,
    TriggerCreate,
    TriggerUpdate,
)
from promptops_platform.triggers.service import TriggerService
from promptops_platform.triggers.states import FiringState
from promptops_platform.triggers.trigger_views import TriggerViews
from promptops_platform.workspaces.service import WorkspaceService

router = APIRouter(prefix="/api/triggers", tags=["triggers"])

Service = Annotated[TriggerService, provided(TriggerService)]
Views = Annotated[TriggerViews, provided(TriggerViews)]
Workspaces = Annotated[WorkspaceService, provided(WorkspaceService)]


@router.get("")
async def list_triggers(
    service: Service,
    views: Views,
    workspaces: Workspaces,
    transaction: Read,
    part: Annotated[Part, paged_by("key", "created_at")],
    q: Annotated[OptionalSearchTerm, Query(description="Text in the key.")] = None,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    actor: Actor = permits(Permission.TRIGGERS_READ),
) -> Page[Trigger]:
    """List triggers, by default sorted by key. Without `limit`, all are returned."""
    workspace_id = None
    if workspace:
        workspace_id = (await workspaces.find(transaction, workspace, actor=actor)).id
    rows, total = await service.search(transaction, workspace_id, q, part, actor=actor)
    return Page(data=await views.shown(transaction, rows, actor=actor), total=total)


@router.post("")
async def create_trigger(
    body: TriggerCreate,
    service: Service,
    views: Views,
    workspaces: Workspaces,
    transaction: Write,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    actor: Actor = permits(Permission.TRIGGERS_WRITE),
) -> Data[Trigger]:
    """Create a trigger. If it receives or delivers webhooks, the response contains its `secret`,
    which is not shown again."""
    action = _action(body.run, body.deliver)
    if action is None:
        raise BadRequest("run: is required without deliver; send what the trigger runs")
    target = await workspaces.find_for(
        transaction,
        body.workspace_id or body.workspace or workspace,
        Permission.TRIGGERS_WRITE,
        actor=actor,
    )
    made = await service.create(
        transaction,
        actor=actor,
        workspace_id=target.id,
        key=body.key,
        enabled=body.enabled,
        condition=body.on.model_dump(exclude_none=True),
        action=action,
    )
    return Data(data=await views.shown_one(transaction, made, actor=actor))


@router.get("/{trigger_id}")
async def get_trigger(
    trigger_id: ResourceId,
    response: Response,
    service: Service,
    views: Views,
    transaction: Read,
    actor: Actor = permits(Permission.TRIGGERS_READ),
) -> Data[Trigger]:
    """Return a trigger. Its etag is the revision."""
    row = await service.get(transaction, trigger_id, actor=actor)
    response.headers["etag"] = etag(row)
    return Data(data=(await views.shown(transaction, [row], actor=actor))[0])


@router.put("/{trigger_id}", responses=may_answer(Conflict))
async def update_trigger(
    trigger_id: ResourceId,
    body: TriggerUpdate,
    response: Response,
    service: Service,
    views: Views,
    transaction: Write,
    if_match: IfMatch = None,
    actor: Actor = permits(Permission.TRIGGERS_WRITE),
) -> Data[Trigger]:
    """Edit a trigger. `enabled` also restarts a trigger that was stopped because of a loop. If the
    trigger now receives or delivers webhooks and did not before, the response contains its
    secret, once.

    With `if-match` or `if_revision`, the response is a 409 with both states if somebody else has
    changed it since.
    """
    fields: dict[str, Any] = body.model_dump(include={"key", "enabled"}, exclude_none=True)
    if body.on is not None:
        fields["condition"] = body.on.model_dump(exclude_none=True)
    action = _action(body.run, body.deliver)
    if action is not None:
        fields["action"] = action
    seen = seen_revisions(if_match, body.if_revision)
    made = await service.update(transaction, trigger_id, fields, actor=actor, seen=seen)
    response.headers["etag"] = etag(made.row)
    return Data(data=await views.shown_one(transaction, made, actor=actor))


@router.delete("/{trigger_id}", responses=may_answer(Conflict))
async def delete_trigger(
    trigger_id: ResourceId,
    service: Service,
    transaction: Write,
    if_match: IfMatch = None,
    actor: Actor = permits(Permission.TRIGGERS_WRITE),
) -> Done:
    """Delete a trigger with the list of its deliveries."""
    seen = seen_revisions(if_match, None)
    await service.delete(transaction, trigger_id, actor=actor, seen=seen)
    return Done()


@router.post("/{trigger_id}/rotate-secret", summary="Rotate Trigger Secret")
async def rotate_secret(
    trigger_id: ResourceId,
    service: Service,
    views: Views,
    transaction: Write,
    body: SecretRotation | None = None,
    actor: Actor = permits(Permission.TRIGGERS_WRITE),
) -> Data[Trigger]:
    """Create a new secret, which is shown in this response only. The old one stays valid for
    `overlap_seconds`, a day by default; meanwhile deliveries are signed with both."""
    overlap = timedelta(seconds=(body or SecretRotation()).overlap_seconds)
    made = await service.rotate_secret(transaction, trigger_id, overlap, actor=actor)
    return Data(data=await views.shown_one(transaction, made, actor=actor))


@router.get("/{trigger_id}/deliveries")
async def list_deliveries(
    trigger_id: ResourceId,
    service: Service,
    transaction: Read,
    part: Annotated[Part, paged_by("created_at")],
    state: Annotated[FiringState | None, Query(description="Only those in this state.")] = None,
    actor: Actor = permits(Permission.TRIGGERS_READ),
) -> Page[Delivery]:
    """List the events that fired a trigger and the result of each, by default the newest first."""
    rows, total = await service.firings(transaction, trigger_id, state, part, actor=actor)
    return Page(data=[delivery_of(row) for row in rows], total=total)


@router.post("/{trigger_id}/deliveries/{delivery_id}/resend", status_code=202)
async def resend_delivery(
    trigger_id: ResourceId,
    delivery_id: ResourceId,
    resending: Annotated[Resending, provided(Resending)],
    transaction: Write,
    actor: Actor = permits(Permission.TRIGGERS_WRITE),
) -> Data[Delivery]:
    """Fire the trigger with the same event again. A receiver gets the same `webhook-id`."""
    row = await resending.resend(transaction, trigger_id, delivery_id, actor=actor)
    return Data(data=delivery_of(row))


def _action(run: RunAction | None, deliver: DeliverAction | None) -> dict[str, Any] | None:
    """Return the action in its stored form; raises BadRequest if both actions are sent, or a run
    without a definition."""
    if run is not None and deliver is not None:
        raise BadRequest("deliver: a trigger runs something or delivers; leave run or deliver out")
    if deliver is not None:
        return deliver.model_dump()
    if run is None:
        return None
    if (run.workflow is None) == (run.agent is None):
        raise BadRequest("run: name either a workflow or an agent, by its key")
    if run.version is not None and run.env is not None:
        raise BadRequest("run: version and env exclude each other; leave one of them out")
    return run.model_dump(exclude_none=True)
