"""Routes around the live connections, and all prompts of an environment."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.responses import StreamingResponse

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.changes.feed import Feed
from promptops_platform.http.envelope import Data
from promptops_platform.realtime.environments import EnvironmentAnswers
from promptops_platform.realtime.fetch import matches
from promptops_platform.realtime.live_clients import LiveClients
from promptops_platform.realtime.query import DEFAULT_ENVIRONMENT, LARGEST_REVISION
from promptops_platform.realtime.revision import reach, revision_headers
from promptops_platform.realtime.schemas import EnvironmentSnapshot, LiveClient
from promptops_platform.text import OptionalLine

router = APIRouter(prefix="/api", tags=["realtime"])


_REVISION_HEADERS = {
    "ETag": {
        "description": "Names the prompts; send it back as If-None-Match.",
        "required": True,
        "schema": {"type": "string"},
    },
    "X-PromptOps-Revision": {"required": True, "schema": {"type": "integer"}},
    "X-PromptOps-Epoch": {"required": True, "schema": {"type": "string"}},
}


@router.get(
    "/sdk/snapshot",
    response_model=EnvironmentSnapshot,
    responses={
        200: {"headers": _REVISION_HEADERS},
        304: {
            "description": "The prompts are still what the caller holds.",
            "headers": _REVISION_HEADERS,
        },
    },
)
async def fetch_snapshot(
    request: Request,
    env: OptionalLine = None,
    workspace: Annotated[OptionalLine, Query(description="Id or slug.")] = None,
    min_revision: Annotated[
        int, Query(ge=0, le=LARGEST_REVISION, description="The answer is of this one or a later.")
    ] = 0,
    epoch: Annotated[OptionalLine, Query(description="Of that revision.")] = None,
    if_none_match: Annotated[
        str | None, Header(description="The ETag of the answer that the caller holds.")
    ] = None,
    actor: Actor = permits(Permission.PROMPTS_FETCH),
) -> Response:
    """All prompts that a fetch in this environment (`prod` by default) answers, by key, with the
    revision that they are of."""
    feed: Feed = request.app.state.feed
    answers: EnvironmentAnswers = request.app.state.environment_answers
    await reach(feed, min_revision, epoch)
    headers = {name.decode(): value.decode() for name, value in revision_headers(feed)}
    found = await answers.answer(actor, env or DEFAULT_ENVIRONMENT, workspace)
    headers |= {"etag": found.prompts.etag.decode(), "cache-control": "private, no-cache"}
    if if_none_match is not None and matches(if_none_match, found.prompts.etag):
        return Response(status_code=304, headers=headers)
    headers["content-length"] = str(found.length)
    return StreamingResponse(found.body(), headers=headers, media_type="application/json")


@router.get("/clients")
async def list_clients(
    request: Request, actor: Actor = permits(Permission.CLIENTS_READ)
) -> Data[list[LiveClient]]:
    """Live hot-reload connections of all replicas, newest first."""
    clients: LiveClients = request.app.state.live_clients
    return Data(data=await clients.listed(actor))
