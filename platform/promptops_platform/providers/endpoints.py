"""Routes of connections to model providers."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.access.schemas import Done
from promptops_platform.db.pages import Part
from promptops_platform.field_types import OptionalLine, OptionalSearchTerm, ResourceId
from promptops_platform.http.envelope import Data, Page
from promptops_platform.http.paging import paged_by
from promptops_platform.http.services import provided, services_of
from promptops_platform.http.transactions import Read, Write
from promptops_platform.providers.schemas import (
    Connection,
    ConnectionCreate,
    ConnectionTest,
    ConnectionUpdate,
)
from promptops_platform.providers.service import ConnectionService
from promptops_platform.providers.trial import ConnectionTrials
from promptops_platform.workspaces.service import WorkspaceService

router = APIRouter(prefix="/api/providers", tags=["providers"])


Service = Annotated[ConnectionService, provided(ConnectionService)]
Workspaces = Annotated[WorkspaceService, provided(WorkspaceService)]


@router.get("")
async def list_connections(
    service: Service,
    workspaces: Workspaces,
    transaction: Read,
    part: Annotated[Part, paged_by("name", "kind", "updated_at")],
    q: Annotated[OptionalSearchTerm, Query(description="Text in name, kind or model.")] = None,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    actor: Actor = permits(Permission.PROVIDERS_READ),
) -> Page[Connection]:
    """List connections, by default sorted by name. Without `limit`, all are returned."""
    workspace_id = None
    if workspace:
        workspace_id = (await workspaces.find(transaction, workspace, actor=actor)).id
    rows, total = await service.search(transaction, workspace_id, q, part, actor=actor)
    return Page(
        data=[Connection.shown(row, hint=service.may_write(row, actor=actor)) for row in rows],
        total=total,
    )


@router.post("")
async def create_connection(
    body: ConnectionCreate,
    service: Service,
    workspaces: Workspaces,
    transaction: Write,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    actor: Actor = permits(Permission.PROVIDERS_WRITE),
) -> Data[Connection]:
    """Store a connection. Its key is encrypted, and no response ever contains it."""
    workspace_name = body.workspace_id or body.workspace or workspace
    target = await workspaces.find_for(
        transaction, workspace_name, Permission.PROVIDERS_WRITE, actor=actor
    )
    row = await service.create(
        transaction,
        actor=actor,
        workspace_id=target.id,
        name=body.name,
        kind=body.kind,
        base_url=body.base_url,
        model=body.model,
        api_key=body.api_key,
        first_token_seconds=body.first_token_seconds,
        answer_seconds=body.answer_seconds,
        compatibility=body.compatibility.stored() if body.compatibility else None,
    )
    return Data(data=Connection.shown(row, hint=True))


@router.get("/{connection_id}")
async def get_connection(
    connection_id: ResourceId,
    service: Service,
    transaction: Read,
    actor: Actor = permits(Permission.PROVIDERS_READ),
) -> Data[Connection]:
    """Return a connection."""
    row = await service.get(transaction, connection_id, actor=actor)
    return Data(data=Connection.shown(row, hint=service.may_write(row, actor=actor)))


@router.put("/{connection_id}")
async def update_connection(
    connection_id: ResourceId,
    body: ConnectionUpdate,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.PROVIDERS_WRITE),
) -> Data[Connection]:
    """Edit a connection. Without `api_key` the stored key is kept, unless `base_url` or `kind`
    change: a stored key is never sent to another address."""
    fields = body.model_dump(include=set(ConnectionUpdate.model_fields), exclude_unset=True)
    if body.compatibility is not None:
        fields["compatibility"] = body.compatibility.stored()
    row = await service.update(transaction, connection_id, actor=actor, fields=fields)
    return Data(data=Connection.shown(row, hint=True))


@router.delete("/{connection_id}")
async def delete_connection(
    connection_id: ResourceId,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.PROVIDERS_WRITE),
) -> Done:
    """Delete a connection with its key."""
    await service.delete(transaction, connection_id, actor=actor)
    return Done()


@router.post("/{connection_id}/test", summary="Test Connection")
async def try_connection(
    connection_id: ResourceId,
    request: Request,
    actor: Actor = permits(Permission.PROVIDERS_WRITE),
) -> Data[ConnectionTest]:
    """Ask the provider for a few tokens, for at most 20 seconds. A failed call is a 200 too, with
    `ok` false."""
    trials = services_of(request).get(ConnectionTrials)
    return Data(data=await trials.try_connection(connection_id, actor=actor))
