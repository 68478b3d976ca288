"""Routes of the playground."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.errors import ProviderFailed, TooManyRequests
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.event_stream import ServerEvent, described, event_stream, wants_events
from promptops_platform.http.hang_up import unless_hung_up
from promptops_platform.http.services import provided, services_of
from promptops_platform.playground.schemas import (
    PlaygroundAnswer,
    PlaygroundRun,
    ProviderNames,
)
from promptops_platform.playground.service import PlaygroundService
from promptops_platform.providers.lookup import ProviderLookup

router = APIRouter(prefix="/api/playground", tags=["playground"])

STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"content": described(ServerEvent("delta", {"text": "[mock completion] Say"}))}
}


@router.get("/providers", summary="List Playground Providers")
async def playground_providers(
    request: Request,
    actor: Actor = permits(Permission.PLAYGROUND_RUN),
) -> ProviderNames:
    """List the values that `provider` accepts: the built-in providers, then the stored
    connections."""
    providers = services_of(request).get(ProviderLookup)
    grants = services_of(request).get(Grants)
    return ProviderNames(data=providers.names(grants.readable(actor)))


@router.post(
    "/run",
    response_model=PlaygroundAnswer,
    responses=may_answer(ProviderFailed, TooManyRequests) | STREAMED,
)
async def run_playground(
    body: PlaygroundRun,
    request: Request,
    service: Annotated[PlaygroundService, provided(PlaygroundService)],
    actor: Actor = permits(Permission.PLAYGROUND_RUN),
) -> PlaygroundAnswer | StreamingResponse:
    """Call a model, and return the rendered prompt with its answer. With `stream` or `Accept:
    text/event-stream`, the answer is sent as events: `delta` with `text`, then `usage` and
    `result`, or `error` if it breaks off. Closing the connection ends the call of the model."""
    if not wants_events(request, body.stream):
        return await unless_hung_up(request, service.run(body, actor=actor))
    request_id = request.scope["request_id"]
    events = await unless_hung_up(request, service.follow(body, request_id, actor=actor))
    return event_stream(request, events)
