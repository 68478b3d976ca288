"""`/health`, `/ready` and `/metrics`, for operators."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import PUBLIC, permits
from promptops_platform.access.permissions import Permission
from promptops_platform.errors import NotReady
from promptops_platform.http.services import services_of
from promptops_platform.observability.counted_metrics import CONTENT_TYPE, Metrics
from promptops_platform.observability.readiness import Readiness
from promptops_platform.observability.schemas import Alive, Ready

router = APIRouter(tags=["health"])

TEXT = {"type": "string", "examples": ['promptops_up{part="database"} 1.0\n']}
NO_STORE = {"cache-control": "no-store"}


@router.get("/health", summary="Get Health", dependencies=[PUBLIC])
async def health() -> Alive:
    """Return 200 as long as the process serves requests."""
    return Alive()


@router.get("/ready", summary="Get Readiness", dependencies=[PUBLIC])
async def ready(
    request: Request,
    response: Response,
    runs: Annotated[
        bool,
        Query(description="Whether the run engine and Prefect must be ready too."),
    ] = False,
) -> Ready:
    """Return whether to send requests to this replica: 200 while the database responds and the
    change feed is followed, otherwise 503, both with `parts`. Parts that only runs need are
    listed too, and count with `runs=true`. The response takes about a second at most, and the
    result is reused for one more."""
    readiness = services_of(request).get(Readiness)
    parts = await readiness.parts()
    states = parts.model_dump()
    bad = [name for name, part in states.items() if not part["ok"]]
    needed = {"database", "feed"} | ({"engine", "prefect"} if runs else set())
    missing = [name for name in bad if name in needed]
    if missing:
        why = "; ".join(f"the {name} {states[name]['detail']}" for name in missing)
        raise NotReady(
            f"not ready: {why}",
            fields={"ready": False, "degraded": bad, "parts": states},
        )
    response.headers.update(NO_STORE)
    return Ready(degraded=bad, parts=parts)


@router.get(
    "/metrics",
    summary="Get Metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": TEXT}}}},
)
async def metrics(request: Request, _actor: Actor = permits(Permission.METRICS_READ)) -> Response:
    """Return the metrics of this process in Prometheus's text format."""
    recorder = services_of(request).get(Metrics)
    return Response(await recorder.exposition(), media_type=CONTENT_TYPE, headers=NO_STORE)
