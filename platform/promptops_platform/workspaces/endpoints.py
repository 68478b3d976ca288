"""Routes of workspaces."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.http.envelope import Data
from promptops_platform.http.transactions import Read, Write
from promptops_platform.workspaces.schemas import Workspace, WorkspaceCreate
from promptops_platform.workspaces.service import WorkspaceService

router = APIRouter(prefix="/api/workspaces", tags=["workspaces"])


def _service(request: Request) -> WorkspaceService:
    service: WorkspaceService = request.app.state.workspaces
    return service


Service = Annotated[WorkspaceService, Depends(_service)]


@router.get("")
async def list_workspaces(
    service: Service, transaction: Read, actor: Actor = permits(Permission.WORKSPACES_READ)
) -> Data[list[Workspace]]:
    """The workspaces that exist for the caller, oldest first."""
    rows = await service.every(transaction, actor=actor)
    return Data(data=[Workspace.of(row) for row in rows])


@router.post("")
async def create_workspace(
    body: WorkspaceCreate,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.WORKSPACES_CREATE),
) -> Data[Workspace]:
    """Make a workspace."""
    row = await service.create(
        transaction, actor=actor, name=body.name, slug=body.slug, visibility=body.visibility
    )
    return Data(data=Workspace.of(row))
