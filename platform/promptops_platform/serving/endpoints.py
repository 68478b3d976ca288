"""Routes that serve all prompts of an environment. A single prompt is fetched through
`fetch.py`."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.responses import StreamingResponse

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.changes.feed import Feed
from promptops_platform.field_types import OptionalLine
from promptops_platform.http.services import services_of
from promptops_platform.serving.environments import EnvironmentAnswers
from promptops_platform.serving.fetch import matches
from promptops_platform.serving.query import DEFAULT_ENVIRONMENT, LARGEST_REVISION
from promptops_platform.serving.revision import reach, revision_headers
from promptops_platform.serving.schemas import EnvironmentSnapshot

router = APIRouter(prefix="/api", tags=["realtime"])

_REVISION_HEADERS = {
    "ETag": {
        "description": "Identifies the prompts; send it back as If-None-Match.",
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
            "description": "The prompts have not changed since the caller fetched them.",
            "headers": _REVISION_HEADERS,
        },
    },
)
async def fetch_snapshot(
    request: Request,
    env: OptionalLine = None,
    workspace: Annotated[OptionalLine, Query(description="A workspace's id or slug.")] = None,
    min_revision: Annotated[
        int, Query(ge=0, le=LARGEST_REVISION, description="Wait for this revision or a later one.")
    ] = 0,
    epoch: Annotated[OptionalLine, Query(description="The epoch of that revision.")] = None,
    if_none_match: Annotated[
        str | None, Header(description="The ETag of the response that you have.")
    ] = None,
    actor: Actor = permits(Permission.PROMPTS_FETCH),
) -> Response:
    """Get all prompts that clients can fetch in this environment (`prod` by default), by key, with
    their revision."""
    feed = services_of(request).get(Feed)
    answers = services_of(request).get(EnvironmentAnswers)
    await reach(feed, min_revision, epoch)
    headers = {name.decode(): value.decode() for name, value in revision_headers(feed)}
    snapshot = await answers.answer(actor, env or DEFAULT_ENVIRONMENT, workspace)
    headers |= {"etag": snapshot.prompts.etag.decode(), "cache-control": "private, no-cache"}
    if if_none_match is not None and matches(if_none_match, snapshot.prompts.etag):
        return Response(status_code=304, headers=headers)
    headers["content-length"] = str(snapshot.length)
    return StreamingResponse(snapshot.body(), headers=headers, media_type="application/json")
