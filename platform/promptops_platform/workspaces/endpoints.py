"""Routes of workspaces."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.access.schemas import Actor
from promptops_platform.http.envelope import Data
from promptops_platform.http.transactions import Read, Write
from promptops_platform.workspaces.schemas import Workspace, WorkspaceCreate
from promptops_platform.workspaces.service import WorkspaceService

router = APIRouter(prefix="/api/workspaces", tags=["workspaces"])


def _service(request: Request) -> WorkspaceService:
    service: WorkspaceService = request.app.state.workspaces
    return service


Service = Annotated[WorkspaceService, Depends(_service)]


@router.get("", dependencies=[permits(Permission.WORKSPACES_READ)])
async def list_workspaces(service: Service, transaction: Read) -> Data[list[Workspace]]:
    """All workspaces, oldest first."""
    return Data(data=[Workspace.of(row) for row in await service.every(transaction)])


@router.post("")
async def create_workspace(
    body: WorkspaceCreate,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.WORKSPACES_WRITE),
) -> Data[Workspace]:
    """Make a workspace."""
    row = await service.create(transaction, actor=actor.username, name=body.name, slug=body.slug)
    return Data(data=Workspace.of(row))
