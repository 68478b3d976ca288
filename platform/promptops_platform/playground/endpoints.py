"""Routes of the playground."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from promptops_platform.access.actor import Actor
from promptops_platform.access.grants import Grants
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.db.unit_of_work import Database
from promptops_platform.errors import ProviderFailed, TooManyRequests
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.event_stream import ServerEvent, described, event_stream, wants_events
from promptops_platform.playground.asking import Asker
from promptops_platform.playground.schemas import (
    PlaygroundAnswer,
    PlaygroundRun,
    ProviderNames,
)
from promptops_platform.playground.service import PlaygroundService
from promptops_platform.providers.service import ProviderService

router = APIRouter(prefix="/api/playground", tags=["playground"])

STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"content": described(ServerEvent("delta", {"text": "[mock completion] Say"}))}
}


@router.get("/providers")
async def playground_providers(
    request: Request,
    actor: Actor = permits(Permission.PLAYGROUND_RUN),
) -> ProviderNames:
    """What may be given as `provider`: the built-in ones, then the stored connections."""
    providers: ProviderService = request.app.state.providers
    grants: Grants = request.app.state.grants
    return ProviderNames(data=providers.names(grants.readable(actor)))


def _service(request: Request) -> PlaygroundService:
    service: PlaygroundService = request.app.state.playground
    return service


@router.post(
    "/run",
    response_model=PlaygroundAnswer,
    responses=may_answer(ProviderFailed, TooManyRequests) | STREAMED,
)
async def run_playground(
    body: PlaygroundRun,
    request: Request,
    service: Annotated[PlaygroundService, Depends(_service)],
    actor: Actor = permits(Permission.PLAYGROUND_RUN),
) -> PlaygroundAnswer | StreamingResponse:
    """Ask a model, and see what is asked. With `stream`, or `Accept: text/event-stream`, the answer
    comes in events: `delta` with `text`, then `usage` and `result`; `error` when it breaks off.

    No transaction is open meanwhile.
    """
    database: Database = request.app.state.database
    stored = None
    if body.id is not None:
        async with database.read() as transaction:
            stored = await service.stored(transaction, body.id, body.version, actor=actor)
    question = await service.question(body, stored, actor=actor)
    asker: Asker = request.app.state.asker
    if not wants_events(request, body.stream):
        return await asker.answer(question, actor=actor)
    events = asker.events(question, actor=actor)
    # The first one before the answer begins, so that what fails until then is the status.
    first = await anext(events)
    return event_stream(_all(first, events))


async def _all(
    first: ServerEvent, others: AsyncGenerator[ServerEvent, None]
) -> AsyncGenerator[ServerEvent, None]:
    async with aclosing(others):
        yield first
        async for each in others:
            yield each
