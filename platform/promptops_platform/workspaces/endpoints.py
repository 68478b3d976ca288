"""Routes of workspaces, their members and environments."""

from typing import Annotated, cast

from fastapi import APIRouter, Query

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import OPEN
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission, Role, known_role
from promptops_platform.access.schemas import Done
from promptops_platform.db.pages import Part
from promptops_platform.field_types import OptionalSearchTerm, ResourceId
from promptops_platform.http.envelope import Data, Page
from promptops_platform.http.paging import paged_by
from promptops_platform.http.services import provided
from promptops_platform.http.transactions import Read, Write
from promptops_platform.workspaces.environment_list import EnvironmentList, EnvironmentSettings
from promptops_platform.workspaces.members import MemberService, Membership
from promptops_platform.workspaces.removal import WorkspaceRemoval
from promptops_platform.workspaces.schemas import (
    Environment,
    EnvironmentsUpdate,
    Member,
    MemberUpdate,
    Workspace,
    WorkspaceCreate,
    WorkspaceUpdate,
)
from promptops_platform.workspaces.service import WorkspaceFields, WorkspaceService

router = APIRouter(prefix="/api/workspaces", tags=["workspaces"])


Service = Annotated[WorkspaceService, provided(WorkspaceService)]
Removal = Annotated[WorkspaceRemoval, provided(WorkspaceRemoval)]
Members = Annotated[MemberService, provided(MemberService)]
Environments = Annotated[EnvironmentList, provided(EnvironmentList)]


@router.get("")
async def list_workspaces(
    service: Service,
    transaction: Read,
    part: Annotated[Part, paged_by("name", "slug", "created_at")],
    q: Annotated[OptionalSearchTerm, Query(description="Text in name or slug.")] = None,
    actor: Actor = permits(Permission.WORKSPACES_READ),
) -> Page[Workspace]:
    """List the workspaces that you can see, by default the oldest first. Without `limit`, all are
    returned."""
    rows, total = await service.search(transaction, q, part, actor=actor)
    shown = [Workspace.of(row, role=service.role(row, actor=actor)) for row in rows]
    return Page(data=shown, total=total)


@router.post("")
async def create_workspace(
    body: WorkspaceCreate,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.WORKSPACES_CREATE),
) -> Data[Workspace]:
    """Create a workspace. Whoever creates a restricted one becomes its first member, as admin."""
    row = await service.create(
        transaction,
        actor=actor,
        name=body.name,
        slug=body.slug,
        visibility=body.visibility,
        implicit_lookup=body.implicit_lookup,
    )
    role = actor.role if row.visibility == OPEN else Role.ADMIN
    return Data(data=Workspace.of(row, role=role))


@router.get("/{workspace_id}")
async def get_workspace(
    workspace_id: ResourceId,
    service: Service,
    transaction: Read,
    actor: Actor = permits(Permission.WORKSPACES_READ),
) -> Data[Workspace]:
    """Return a workspace by id or slug."""
    row = await service.find(transaction, workspace_id, actor=actor)
    return Data(data=Workspace.of(row, role=service.role(row, actor=actor)))


@router.put("/{workspace_id}")
async def update_workspace(
    workspace_id: ResourceId,
    body: WorkspaceUpdate,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.WORKSPACES_MANAGE),
) -> Data[Workspace]:
    """Change the name, slug or visibility, or whether clients that name no workspace find its
    prompts. The workspace `default` keeps its slug, stays open, and always serves such clients."""
    fields = cast(WorkspaceFields, body.model_dump(exclude_none=True))
    row = await service.update(transaction, workspace_id, actor=actor, fields=fields)
    return Data(data=Workspace.of(row, role=service.role(row, actor=actor)))


@router.delete("/{workspace_id}")
async def delete_workspace(
    workspace_id: ResourceId,
    removal: Removal,
    transaction: Write,
    force: Annotated[bool, Query(description="Delete it with everything in it.")] = False,
    actor: Actor = permits(Permission.WORKSPACES_DELETE),
) -> Done:
    """Delete a workspace. With `force`, its prompts, workflows, connections, runs and API keys are
    deleted too."""
    await removal.remove(transaction, workspace_id, actor=actor, force=force)
    return Done()


@router.get("/{workspace_id}/members")
async def list_members(
    workspace_id: ResourceId,
    service: Members,
    transaction: Read,
    part: Annotated[Part, paged_by("username", "role", "created_at")],
    q: Annotated[OptionalSearchTerm, Query(description="Text in the name.")] = None,
    actor: Actor = permits(Permission.WORKSPACES_READ),
) -> Page[Member]:
    """List the members of a workspace, by default sorted by name. Without `limit`, all are
    returned."""
    members, total = await service.search(transaction, workspace_id, q, part, actor=actor)
    return Page(data=[_shown(member) for member in members], total=total)


@router.put("/{workspace_id}/members/{user}", summary="Set Member")
async def put_member(
    workspace_id: ResourceId,
    user: ResourceId,
    body: MemberUpdate,
    service: Members,
    transaction: Write,
    actor: Actor = permits(Permission.MEMBERS_WRITE),
) -> Data[Member]:
    """Add a member, by the user's id or name, or change a member's role."""
    member = await service.put(transaction, workspace_id, user, body.role, actor=actor)
    return Data(data=_shown(member))


@router.delete("/{workspace_id}/members/{user}")
async def remove_member(
    workspace_id: ResourceId,
    user: ResourceId,
    service: Members,
    transaction: Write,
    actor: Actor = permits(Permission.MEMBERS_WRITE),
) -> Done:
    """Remove a member, by the user's id or name."""
    await service.remove(transaction, workspace_id, user, actor=actor)
    return Done()


@router.get("/{workspace_id}/environments")
async def list_environments(
    workspace_id: ResourceId,
    service: Environments,
    transaction: Read,
    actor: Actor = permits(Permission.WORKSPACES_READ),
) -> Data[list[Environment]]:
    """List the environments of a workspace in their order."""
    rows = await service.every(transaction, workspace_id, actor=actor)
    return Data(data=[Environment.of(row) for row in rows])


@router.put("/{workspace_id}/environments")
async def replace_environments(
    workspace_id: ResourceId,
    body: EnvironmentsUpdate,
    service: Environments,
    transaction: Write,
    actor: Actor = permits(Permission.WORKSPACES_MANAGE),
) -> Data[list[Environment]]:
    """Replace the environments of a workspace with these, in this order. Environments with prompts
    can't be removed."""
    environments = [
        EnvironmentSettings(**environment.model_dump()) for environment in body.environments
    ]
    rows = await service.replace(transaction, workspace_id, environments, actor=actor)
    return Data(data=[Environment.of(row) for row in rows])


def _shown(member: Membership) -> Member:
    row = member.row
    return Member(
        id=row.user_id,
        username=member.username,
        role=known_role(row.role),
        created_at=row.created_at,
    )
