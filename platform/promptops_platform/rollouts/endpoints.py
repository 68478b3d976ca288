"""Routes of rollouts."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.access.schemas import Done
from promptops_platform.http.envelope import Data
from promptops_platform.http.transactions import Read, Write
from promptops_platform.prompts.schemas import Precondition
from promptops_platform.rollouts.answer import rollout_answer
from promptops_platform.rollouts.revisions import rollout_tag, seen_rollout
from promptops_platform.rollouts.schemas import Rollout, RolloutUpdate
from promptops_platform.rollouts.service import RolloutService
from promptops_platform.text import ResourceId

router = APIRouter(prefix="/api/prompts/{prompt_id}/rollout", tags=["rollouts"])


def _service(request: Request) -> RolloutService:
    service: RolloutService = request.app.state.rollouts
    return service


IfMatchRollout = Annotated[
    str | None, Header(description="The etag of the rollout, or of its prompt, as it was read.")
]
Service = Annotated[RolloutService, Depends(_service)]


@router.get("")
async def get_rollout(
    prompt_id: ResourceId,
    response: Response,
    service: Service,
    transaction: Read,
    actor: Actor = permits(Permission.ROLLOUTS_READ),
) -> Data[Rollout | None]:
    """A prompt's rollout; null where none is set."""
    prompt, row = await service.get(transaction, prompt_id, actor=actor)
    response.headers["etag"] = f'"{rollout_tag(row)}"'
    return Data(data=None if row is None else rollout_answer(prompt, row))


@router.put("")
async def set_rollout(
    prompt_id: ResourceId,
    body: RolloutUpdate,
    response: Response,
    service: Service,
    transaction: Write,
    if_match: IfMatchRollout = None,
    actor: Actor = permits(Permission.ROLLOUTS_WRITE),
) -> Data[Rollout]:
    """Set or change a prompt's rollout; it takes effect at once.

    With `if-match` or `if_revision` it is a 409 where somebody else was faster.
    """
    seen = seen_rollout(if_match, body.if_revision)
    prompt, row = await service.save(transaction, prompt_id, body, actor=actor, seen=seen)
    response.headers["etag"] = f'"{rollout_tag(row)}"'
    return Data(data=rollout_answer(prompt, row))


@router.delete("")
async def delete_rollout(
    prompt_id: ResourceId,
    service: Service,
    transaction: Write,
    body: Precondition | None = None,
    if_match: IfMatchRollout = None,
    actor: Actor = permits(Permission.ROLLOUTS_WRITE),
) -> Done:
    """End a prompt's rollout and forget it: the published version is served to all again."""
    seen = seen_rollout(if_match, body.if_revision if body else None)
    await service.remove(transaction, prompt_id, actor=actor, seen=seen)
    return Done()
