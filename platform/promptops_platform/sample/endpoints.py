"""Routes of the sample."""

from typing import Annotated

from fastapi import APIRouter, Query

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.field_types import OptionalLine
from promptops_platform.http.envelope import Data
from promptops_platform.http.services import provided
from promptops_platform.http.transactions import Read, Write
from promptops_platform.sample.schemas import Sample, SampleRemoved, SampleRequest, SampleState
from promptops_platform.sample.service import SampleService

router = APIRouter(prefix="/api/sample", tags=["sample"])


Service = Annotated[SampleService, provided(SampleService)]
Workspace = Annotated[OptionalLine, Query(description="Id or slug.")]


@router.get("")
async def get_sample(
    service: Service,
    transaction: Read,
    workspace: Workspace = None,
    actor: Actor = permits(Permission.PROMPTS_READ),
) -> Data[SampleState]:
    """Return whether a workspace has the sample."""
    installed, workspace_id = await service.is_installed(transaction, workspace, actor=actor)
    return Data(data=SampleState(installed=installed, workspace_id=workspace_id))


@router.post("")
async def create_sample(
    body: SampleRequest,
    service: Service,
    transaction: Write,
    workspace: Workspace = None,
    actor: Actor = permits(Permission.KEYS_WRITE),
) -> Data[Sample]:
    """Create the sample: a prompt with a history in two environments, an agent, a workflow, and an
    API key for a first program. Either all of it is created or nothing."""
    return Data(data=await service.create(transaction, body.workspace or workspace, actor=actor))


@router.delete("")
async def delete_sample(
    service: Service,
    transaction: Write,
    workspace: Workspace = None,
    actor: Actor = permits(Permission.KEYS_WRITE),
) -> SampleRemoved:
    """Remove the sample with its API key. Agents and workflows that somebody has edited remain,
    with the prompts that they use."""
    return SampleRemoved(kept=await service.remove(transaction, workspace, actor=actor))
