"""Routes of rollouts."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.access.schemas import Done
from promptops_platform.definitions.approvals import PROPOSABLE, ordered
from promptops_platform.field_types import OptionalLine, OptionalSearchTerm, ResourceId
from promptops_platform.http.envelope import Data, Page
from promptops_platform.http.paging import DEFAULT_PAGE, Limit, Offset
from promptops_platform.http.services import provided
from promptops_platform.http.transactions import Read, Write
from promptops_platform.prompts.schemas import Precondition
from promptops_platform.rollouts.answer import listed_rollout, rollout_answer
from promptops_platform.rollouts.listing import RolloutList
from promptops_platform.rollouts.repository import RolloutFilter
from promptops_platform.rollouts.revisions import rollout_tag, seen_rollout
from promptops_platform.rollouts.schemas import ListedRollout, Rollout, RolloutUpdate
from promptops_platform.rollouts.service import RolloutService
from promptops_platform.workspaces.service import WorkspaceService

router = APIRouter(tags=["rollouts"])
OF_PROMPT = "/api/prompts/{prompt_id}/rollout"


IfMatchRollout = Annotated[
    str | None,
    Header(description="The etag that you received with the rollout or with its prompt."),
]
Service = Annotated[RolloutService, provided(RolloutService)]
Listing = Annotated[RolloutList, provided(RolloutList)]
Workspaces = Annotated[WorkspaceService, provided(WorkspaceService)]


@router.get("/api/rollouts")
async def list_rollouts(
    listing: Listing,
    workspaces: Workspaces,
    transaction: Read,
    q: Annotated[
        OptionalSearchTerm, Query(description="Text that the prompt's key contains.")
    ] = None,
    env: OptionalLine = None,
    enabled: Annotated[
        bool | None, Query(description="`true` for enabled, `false` for disabled rollouts.")
    ] = None,
    workspace: Annotated[OptionalLine, Query(description="A workspace's id or slug.")] = None,
    limit: Limit = DEFAULT_PAGE,
    offset: Offset = 0,
    actor: Actor = permits(Permission.ROLLOUTS_READ),
) -> Page[ListedRollout]:
    """List the rollouts of all prompts, the most recently changed first."""
    workspace_id = None
    if workspace:
        workspace_id = (await workspaces.find(transaction, workspace, actor=actor)).id
    rollout_filter = RolloutFilter(workspace_id, env, enabled, q)
    rows, total = await listing.page(
        transaction, rollout_filter, actor=actor, limit=limit, offset=offset
    )
    data = [listed_rollout(prompt, row, published) for row, prompt, published in rows]
    return Page(data=data, total=total)


@router.get(OF_PROMPT)
async def get_rollout(
    prompt_id: ResourceId,
    response: Response,
    service: Service,
    transaction: Read,
    actor: Actor = permits(Permission.ROLLOUTS_READ),
) -> Data[Rollout | None]:
    """Get the rollout of a prompt, or null if it has none."""
    prompt, row = await service.get(transaction, prompt_id, actor=actor)
    response.headers["etag"] = f'"{rollout_tag(row)}"'
    return Data(data=None if row is None else rollout_answer(prompt, row))


@router.put(OF_PROMPT, responses=PROPOSABLE)
async def set_rollout(
    prompt_id: ResourceId,
    body: RolloutUpdate,
    response: Response,
    service: Service,
    transaction: Write,
    if_match: IfMatchRollout = None,
    actor: Actor = permits(Permission.ROLLOUTS_WRITE),
) -> Data[Rollout]:
    """Create or change the rollout of a prompt. It takes effect immediately.

    With `if-match` or `if_revision`, the response is a 409 if the rollout has been changed since.
    """
    seen = seen_rollout(if_match, body.if_revision)
    update = body.model_dump(mode="json", exclude_none=True, exclude={"if_revision"})
    with ordered("rollout", prompt_id, update=update):
        prompt, row = await service.save(transaction, prompt_id, body, actor=actor, seen=seen)
    response.headers["etag"] = f'"{rollout_tag(row)}"'
    return Data(data=rollout_answer(prompt, row))


@router.delete(OF_PROMPT, responses=PROPOSABLE)
async def delete_rollout(
    prompt_id: ResourceId,
    service: Service,
    transaction: Write,
    body: Precondition | None = None,
    if_match: IfMatchRollout = None,
    actor: Actor = permits(Permission.ROLLOUTS_WRITE),
) -> Done:
    """Delete the rollout of a prompt. Everybody gets the published version again."""
    seen = seen_rollout(if_match, body.if_revision if body else None)
    with ordered("delete_rollout", prompt_id):
        await service.remove(transaction, prompt_id, actor=actor, seen=seen)
    return Done()
