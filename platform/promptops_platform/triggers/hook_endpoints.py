"""The route of inbound webhooks."""

from typing import Annotated

from fastapi import APIRouter, Request

from promptops_platform.access.guard import PUBLIC
from promptops_platform.field_types import ResourceId
from promptops_platform.http.envelope import Data
from promptops_platform.http.secret_paths import HOOKS_PATH
from promptops_platform.http.services import provided
from promptops_platform.triggers.inbound import InboundWebhooks
from promptops_platform.triggers.schemas import Received

router = APIRouter(tags=["triggers"])


@router.post(HOOKS_PATH + "{hook}", dependencies=[PUBLIC], status_code=202)
async def receive_webhook(
    hook: ResourceId,
    request: Request,
    inbound: Annotated[InboundWebhooks, provided(InboundWebhooks)],
) -> Data[Received]:
    """Receive a message that is signed according to Standard Webhooks: the headers `webhook-id`,
    `webhook-timestamp` and `webhook-signature` are the only credentials. A repeated message gets
    the same response as before and has no effect."""
    firing_id = await inbound.receive(hook, request.headers, await request.body())
    return Data(data=Received(id=firing_id))
