"""Routes of rollouts."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.access.schemas import Done
from promptops_platform.db.tables import PromptRow, RolloutRow
from promptops_platform.http.envelope import Data
from promptops_platform.http.transactions import Read, Write
from promptops_platform.rollouts.ab_form import form_of
from promptops_platform.rollouts.schemas import Rollout, RolloutUpdate
from promptops_platform.rollouts.service import RolloutService
from promptops_platform.text import ResourceId

router = APIRouter(prefix="/api/prompts/{prompt_id}/rollout", tags=["rollouts"])


def _service(request: Request) -> RolloutService:
    service: RolloutService = request.app.state.rollouts
    return service


Service = Annotated[RolloutService, Depends(_service)]


@router.get("")
async def get_rollout(
    prompt_id: ResourceId,
    service: Service,
    transaction: Read,
    actor: Actor = permits(Permission.ROLLOUTS_READ),
) -> Data[Rollout | None]:
    """A prompt's rollout; null where none is set."""
    prompt, row = await service.get(transaction, prompt_id, actor=actor)
    return Data(data=None if row is None else _answer(prompt, row))


@router.put("")
async def set_rollout(
    prompt_id: ResourceId,
    body: RolloutUpdate,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.ROLLOUTS_WRITE),
) -> Data[Rollout]:
    """Set or change a prompt's rollout; it takes effect at once."""
    prompt, row = await service.save(transaction, prompt_id, body, actor=actor)
    return Data(data=_answer(prompt, row))


@router.delete("")
async def delete_rollout(
    prompt_id: ResourceId,
    service: Service,
    transaction: Write,
    actor: Actor = permits(Permission.ROLLOUTS_WRITE),
) -> Done:
    """End a prompt's rollout and forget it: the published version is served to all again."""
    await service.remove(transaction, prompt_id, actor=actor)
    return Done()


def _answer(prompt: PromptRow, row: RolloutRow) -> Rollout:
    form = form_of(row.variants)._asdict()
    return Rollout.of(row, key=prompt.key, env=prompt.env, **form)
