"""Routes of prompts."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.access.schemas import Done
from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.definitions.approvals import PROPOSABLE, ordered
from promptops_platform.definitions.preconditions import IfMatch, etag, seen_revisions
from promptops_platform.definitions.schemas import NewVersion
from promptops_platform.field_types import OptionalLine, OptionalSearchTerm, ResourceId
from promptops_platform.http.envelope import CappedPage, Data, Page
from promptops_platform.http.paging import DEFAULT_PAGE, Limit, Offset, OptionalLimit
from promptops_platform.http.services import provided
from promptops_platform.http.transactions import Read, Write
from promptops_platform.http.wait_times import wait_seconds
from promptops_platform.prompts.acknowledgement import LONGEST_WAIT_SECONDS, Publication
from promptops_platform.prompts.body import ServedVersion
from promptops_platform.prompts.promotion import Order, Promotion
from promptops_platform.prompts.publishing import Publishing
from promptops_platform.prompts.schemas import (
    Precondition,
    PromoteRequest,
    Prompt,
    PromptCreate,
    PromptDiff,
    PromptFilter,
    PromptUpdate,
    PromptVersion,
    PublishRequest,
    RollbackRequest,
    RolledBackPrompt,
    ServedMove,
)
from promptops_platform.prompts.service import PromptService
from promptops_platform.prompts.tables import PromptRow
from promptops_platform.workspaces.service import WorkspaceService

router = APIRouter(prefix="/api/prompts", tags=["prompts"])


Service = Annotated[PromptService, provided(PromptService)]
Workspaces = Annotated[WorkspaceService, provided(WorkspaceService)]


@router.get("")
async def list_prompts(
    service: Service,
    workspaces: Workspaces,
    transaction: Read,
    q: Annotated[OptionalSearchTerm, Query(description="Text in key, name or content.")] = None,
    env: OptionalLine = None,
    category: OptionalLine = None,
    tag: OptionalLine = None,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    limit: OptionalLimit = None,
    offset: Offset = 0,
    actor: Actor = permits(Permission.PROMPTS_READ),
) -> CappedPage[Prompt]:
    """List prompts, the most recently changed first. Without `limit`, all prompts are returned."""
    workspace_id = None
    if workspace:
        workspace_id = (await workspaces.find(transaction, workspace, actor=actor)).id
    filters = PromptFilter(workspace_id, text=q, env=env, category=category, tag=tag)
    page = await service.search(transaction, filters, actor=actor, limit=limit, offset=offset)
    return CappedPage(
        data=[
            Prompt.shown(row, ServedVersion(label, content_hash) if label else None)
            for row, label, content_hash in page.rows
        ],
        total=page.total,
        total_is_at_least=page.total_is_at_least,
    )


@router.post("")
async def create_prompt(
    body: PromptCreate,
    response: Response,
    service: Service,
    workspaces: Workspaces,
    transaction: Write,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Data[Prompt]:
    """Create a prompt. Clients get it immediately, with every edit until its first publish."""
    workspace_name = body.workspace_id or body.workspace or workspace
    target = await workspaces.find_for(
        transaction, workspace_name, Permission.PROMPTS_WRITE, actor=actor
    )
    row = await service.create(
        transaction,
        actor=actor,
        workspace_id=target.id,
        key=body.key,
        fields=body.fields_with_values(),
    )
    return await _answer(service, transaction, row, response)


@router.post("/publish", response_model_exclude_unset=True, responses=PROPOSABLE)
async def publish_prompt(
    body: PublishRequest,
    publishing: Annotated[Publishing, provided(Publishing)],
    wait: Annotated[
        OptionalLine,
        Query(description="How long to wait for the clients that use it: `5s`, `500ms`."),
    ] = None,
    if_match: IfMatch = None,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Publication:
    """Publish the working copy or an existing version. Clients get it from now on.

    With `wait`, at most 30 seconds, the response is sent when all clients that use the prompt have
    applied the change or the time is up, and lists the clients that have applied it.

    With `if-match` or `if_revision`, the response is a 409 if the prompt has been edited since.
    """
    with ordered("publish", body.id, version=body.version, note=body.note or ""):
        return await publishing.publish(
            body.id,
            actor=actor,
            label=body.version,
            note=body.note or "",
            seen=seen_revisions(if_match, body.if_revision),
            wait_seconds=None if wait is None else wait_seconds(wait, longest=LONGEST_WAIT_SECONDS),
        )


@router.post("/rollback", responses=PROPOSABLE)
async def rollback_prompt(
    body: RollbackRequest,
    response: Response,
    service: Service,
    transaction: Write,
    if_match: IfMatch = None,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Data[RolledBackPrompt]:
    """Roll back to an earlier version. Clients get it immediately, and a running rollout ends."""
    seen = seen_revisions(if_match, body.if_revision)
    with ordered("rollback", body.id, version=body.version):
        row, ended = await service.rollback(
            transaction, body.id, body.version, actor=actor, seen=seen
        )
    response.headers["etag"] = etag(row)
    published = await service.published(transaction, row)
    return Data(data=RolledBackPrompt.shown(row, published, rollout_ended=ended))


@router.get("/{prompt_id}")
async def get_prompt(
    prompt_id: ResourceId,
    response: Response,
    service: Service,
    transaction: Read,
    actor: Actor = permits(Permission.PROMPTS_READ),
) -> Data[Prompt]:
    """Get the working copy of a prompt. Its etag is the revision."""
    row = await service.get(transaction, prompt_id, actor=actor)
    return await _answer(service, transaction, row, response)


@router.put("/{prompt_id}")
async def update_prompt(
    prompt_id: ResourceId,
    body: PromptUpdate,
    response: Response,
    service: Service,
    transaction: Write,
    if_match: IfMatch = None,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Data[Prompt]:
    """Update the working copy. A different `env` moves the prompt; the key can't be changed.

    With `if-match` or `if_revision`, the response is a 409 with both states if the prompt has been
    changed since; without them the last write wins.
    """
    seen = seen_revisions(if_match, body.if_revision)
    row = await service.update(
        transaction, prompt_id, actor=actor, fields=body.fields_with_values(), seen=seen
    )
    return await _answer(service, transaction, row, response)


@router.delete("/{prompt_id}", responses=PROPOSABLE)
async def delete_prompt(
    prompt_id: ResourceId,
    service: Service,
    transaction: Write,
    body: Precondition | None = None,
    if_match: IfMatch = None,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Done:
    """Delete a prompt and its versions."""
    seen = seen_revisions(if_match, body.if_revision if body else None)
    with ordered("delete", prompt_id):
        await service.delete(transaction, prompt_id, actor=actor, seen=seen)
    return Done()


@router.get("/{prompt_id}/versions", summary="List Prompt Versions")
async def list_versions(
    prompt_id: ResourceId,
    service: Service,
    transaction: Read,
    limit: OptionalLimit = None,
    offset: Offset = 0,
    actor: Actor = permits(Permission.PROMPTS_READ),
) -> Page[PromptVersion]:
    """List the versions of a prompt, newest first. Without `limit`, all versions are returned."""
    rows, total = await service.versions(
        transaction, prompt_id, actor=actor, limit=limit, offset=offset
    )
    return Page(data=[PromptVersion.of(row) for row in rows], total=total)


@router.post("/{prompt_id}/versions", summary="Create Prompt Version")
async def make_version(
    prompt_id: ResourceId,
    service: Service,
    transaction: Write,
    body: NewVersion | None = None,
    if_match: IfMatch = None,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Data[PromptVersion]:
    """Create a version of the working copy without serving it. If a version with this label and
    content exists, it is returned."""
    wish = body or NewVersion()
    seen = seen_revisions(if_match, wish.if_revision)
    version = await service.make_version(
        transaction, prompt_id, actor=actor, note=wish.note or "", seen=seen
    )
    return Data(data=PromptVersion.of(version))


@router.get("/{prompt_id}/history", summary="Get Prompt History")
async def list_moves(
    prompt_id: ResourceId,
    service: Service,
    transaction: Read,
    limit: Limit = DEFAULT_PAGE,
    offset: Offset = 0,
    actor: Actor = permits(Permission.PROMPTS_READ),
) -> Page[ServedMove]:
    """List the changes of the served version: what, when and by whom, newest first."""
    rows, total = await service.moves(
        transaction, prompt_id, actor=actor, limit=limit, offset=offset
    )
    return Page(data=[ServedMove.of(row, id=str(row.id)) for row in rows], total=total)


@router.get("/{prompt_id}/diff", summary="Compare Prompt Versions")
async def diff_prompt(
    prompt_id: ResourceId,
    service: Service,
    transaction: Read,
    from_: Annotated[
        OptionalLine,
        Query(alias="from", description="A version's label; the published version by default."),
    ] = None,
    to: Annotated[
        OptionalLine, Query(description="A version's label, or `draft` for the working copy.")
    ] = None,
    actor: Actor = permits(Permission.PROMPTS_READ),
) -> Data[PromptDiff]:
    """Compare two versions. Without parameters, return what a publish would change."""
    return Data(data=await service.diff(transaction, prompt_id, actor=actor, from_=from_, to=to))


@router.post("/{prompt_id}/promote", responses=PROPOSABLE)
async def promote_prompt(
    prompt_id: ResourceId,
    body: PromoteRequest,
    response: Response,
    service: Service,
    promotion: Annotated[Promotion, provided(Promotion)],
    transaction: Write,
    if_match: IfMatch = None,
    actor: Actor = permits(Permission.PROMPTS_WRITE),
) -> Data[Prompt]:
    """Promote the published version to another environment, and return the prompt there."""
    seen = seen_revisions(if_match, body.if_revision)
    order = Order(body.env, body.publish, body.version, body.note or "", seen)
    described = body.model_dump(include={"env", "publish", "version", "note"})
    with ordered("promote", prompt_id, **described):
        row = await promotion.promote(transaction, prompt_id, order, actor=actor)
    return await _answer(service, transaction, row, response)


async def _answer(
    service: PromptService, transaction: Transaction, row: PromptRow, response: Response
) -> Data[Prompt]:
    response.headers["etag"] = etag(row)
    return Data(data=Prompt.shown(row, await service.published(transaction, row)))
