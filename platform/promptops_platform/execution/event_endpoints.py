"""The route that streams the events of a run."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.errors import TooManyRequests
from promptops_platform.execution.run_views import END_ID, RunViews
from promptops_platform.field_types import OptionalLine, ResourceId
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.event_stream import ServerEvent, begun, described, event_stream
from promptops_platform.http.services import provided, services_of
from promptops_platform.http.stop_signal import StopSignal
from promptops_platform.runlog.endpoints import up_to_date

router = APIRouter(prefix="/api/runs", tags=["runs"], dependencies=[Depends(up_to_date)])

STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The events `run`, `state`, `step_started`, `delta`, `skipped`, "
        "`tool_call`, `tool_result`, `step`, `end`, `stopping` and `error`, whose data is JSON.",
        "content": described(ServerEvent("delta", {"step": 2, "text": "Dear Ada"})),
    },
    204: {
        "description": "The client has already received the event `end` and can stop reconnecting."
    },
}


@router.get(
    "/{run_id}/events",
    summary="Stream Run Events",
    response_class=Response,
    responses={**may_answer(TooManyRequests), **STREAMED},
)
async def stream_run(
    run_id: ResourceId,
    request: Request,
    views: Annotated[RunViews, provided(RunViews)],
    last_event_id: Annotated[
        OptionalLine, Header(description="The id of the last event that you received.")
    ] = None,
    actor: Actor = permits(Permission.RUNS_READ),
) -> Response:
    """Stream the events of a run as server-sent events until it has ended.

    The stream begins with `run`, the whole run, unless it can resume after `last-event-id`.
    """
    if last_event_id == END_ID:
        await views.require(run_id, actor=actor)
        return Response(status_code=204)
    events = views.events(run_id, last_event_id, actor=actor)
    stop = services_of(request).get(StopSignal)
    return event_stream(request, await begun(events, request.scope["request_id"], stop))
