"""Routes of prompts."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.access.schemas import Done
from promptops_platform.db.tables import PromptRow
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.http.envelope import CappedPage, Data
from promptops_platform.http.paging import Offset, OptionalLimit
from promptops_platform.http.transactions import Read, Write
from promptops_platform.prompts.schemas import (
    Prompt,
    PromptCreate,
    PromptFilter,
    PromptUpdate,
    PromptVersion,
    PublishRequest,
    RollbackRequest,
    RolledBackPrompt,
)
from promptops_platform.prompts.service import PromptService
from promptops_platform.text import OptionalLine, ResourceId
from promptops_platform.workspaces.service import WorkspaceService

router = APIRouter(prefix="/api/prompts", tags=["prompts"])


def _service(request: Request) -> PromptService:
    service: PromptService = request.app.state.prompts
    return service


def _workspaces(request: Request) -> WorkspaceService:
    service: WorkspaceService = request.app.state.workspaces
    return service


Service = Annotated[PromptService, Depends(_service)]
Workspaces = Annotated[WorkspaceService, Depends(_workspaces)]


@router.get("")
async def list_prompts(
    service: Service,
    workspaces: Workspaces,
    transaction: Read,
    q: Annotated[OptionalLine, Query(description="Text in key, name or content.")] = None,
    env: OptionalLine = None,
    category: OptionalLine = None,
    tag: OptionalLine = None,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    limit: OptionalLimit = None,
    offset: Offset = 0,
    actor: Actor = permits(Permission.PROMPTS_READ),
) -> CappedPage[Prompt]:
    """Prompts, newest change first; all of them without a `limit`."""
    workspace_id = None
    if workspace:
        workspace_id = (await workspaces.find(transaction, workspace, actor=actor)).id
    wanted = PromptFilter(workspace_id, text=q, env=env, category=category, tag=tag)
    found = await service.search(transaction, wanted, actor=actor, limit=limit, offset=offset)
    return CappedPage(
        data=[Prompt.of(row, published_version=label) for row, label in found.rows],
        total=found.total,
        total_is_at_least=found.total_is_at_least,
    )


@router.post("")
async def create_prompt(
    body: PromptCreate,
    service: Service,
    workspaces: Workspaces,
    transaction: Write,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Data[Prompt]:
    """Make a prompt. It is served from now on, and each edit of it until its first publish."""
    named = body.workspace_id or body.workspace or workspace
    found = await workspaces.find(transaction, named, actor=actor)
    row = await service.create(
        transaction,
        actor=actor,
        workspace_id=found.id,
        key=body.key,
        fields=_given(body),
    )
    return await _answer(service, transaction, row)


@router.post("/publish")
async def publish_prompt(
    body: PublishRequest,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Data[PromptVersion]:
    """Publish the working copy: it is served from now on."""
    version = await service.publish(transaction, body.id, actor=actor)
    return Data(data=PromptVersion.of(version))


@router.post("/rollback")
async def rollback_prompt(
    body: RollbackRequest,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Data[RolledBackPrompt]:
    """Serve an earlier version again, at once; ends a running rollout."""
    row, ended = await service.rollback(transaction, body.id, body.version, actor=actor)
    label = row.version
    return Data(data=RolledBackPrompt.of(row, published_version=label, rollout_ended=ended))


@router.get("/{prompt_id}")
async def get_prompt(
    prompt_id: ResourceId,
    service: Service,
    transaction: Read,
    actor: Actor = permits(Permission.PROMPTS_READ),
) -> Data[Prompt]:
    """A prompt's working copy."""
    row = await service.get(transaction, prompt_id, actor=actor)
    return await _answer(service, transaction, row)


@router.put("/{prompt_id}")
async def update_prompt(
    prompt_id: ResourceId,
    body: PromptUpdate,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Data[Prompt]:
    """Edit the working copy; another `env` moves it. The key stays."""
    row = await service.update(transaction, prompt_id, actor=actor, fields=_given(body))
    return await _answer(service, transaction, row)


@router.delete("/{prompt_id}")
async def delete_prompt(
    prompt_id: ResourceId,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Done:
    """Delete a prompt with its versions."""
    await service.delete(transaction, prompt_id, actor=actor)
    return Done()


@router.get("/{prompt_id}/versions")
async def list_versions(
    prompt_id: ResourceId,
    service: Service,
    transaction: Read,
    actor: Actor = permits(Permission.PROMPTS_READ),
) -> Data[list[PromptVersion]]:
    """Published versions, newest first."""
    rows = await service.versions(transaction, prompt_id, actor=actor)
    return Data(data=[PromptVersion.of(row) for row in rows])


def _given(body: PromptUpdate) -> dict[str, str]:
    """The fields that were sent with a value."""
    return body.model_dump(include=set(PromptUpdate.model_fields), exclude_none=True)


async def _answer(service: PromptService, transaction: Transaction, row: PromptRow) -> Data[Prompt]:
    published = await service.published_label(transaction, row)
    return Data(data=Prompt.of(row, published_version=published))
