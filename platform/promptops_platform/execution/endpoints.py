"""Routes that cancel and retry runs."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from starlette.responses import JSONResponse

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.errors import BadRequest, Conflict, TooManyRequests
from promptops_platform.execution.cancelling import RunCancels
from promptops_platform.execution.retrying import AskedRetry, RunRetries
from promptops_platform.execution.schemas import RetryRun, StartedRun
from promptops_platform.field_types import ResourceId
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.envelope import Data
from promptops_platform.http.services import provided
from promptops_platform.runlog.schemas import RunDetail

router = APIRouter(prefix="/api/runs", tags=["runs"])

# The response of routes that start a run without waiting for it.
ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": StartedRun,
        "description": "The run continues in the background, with `wait: false` or because it "
        "waits for approvals. `Location` is its address.",
    }
}


@router.post("/{run_id}/cancel", status_code=202, responses=may_answer(Conflict))
async def cancel_run(
    run_id: ResourceId,
    cancels: Annotated[RunCancels, provided(RunCancels)],
    actor: Actor = permits(Permission.RUNS_READ),
) -> Data[RunDetail]:
    """Cancel a run of an agent or a workflow. Requires the permission to run it.

    A queued run has ended when the response is sent; a running one ends within a second.
    """
    row, steps = await cancels.cancel(run_id, actor=actor)
    return Data(data=RunDetail.with_steps(row, steps))


@router.post("/{run_id}/retry", status_code=202, responses=may_answer(Conflict, TooManyRequests))
async def retry_run(
    run_id: ResourceId,
    response: Response,
    retries: Annotated[RunRetries, provided(RunRetries)],
    body: RetryRun | None = None,
    actor: Actor = permits(Permission.RUNS_READ),
) -> Data[RunDetail]:
    """Retry a run: start a new run that continues at the failed steps. Requires the permission to
    run it.

    Completed steps are not executed again and cost nothing.
    """
    asked = body or RetryRun()
    row = await retries.retry(
        run_id,
        AskedRetry(
            version=asked.version,
            from_step=asked.from_step,
            api_key=asked.api_key,
            base_url=asked.base_url,
        ),
        actor=actor,
    )
    response.headers["location"] = address_of(row.id)
    return Data(data=RunDetail.with_steps(row, []))


def refuse_stream(stream: bool | None) -> None:
    """Raises BadRequest if the caller wants to stream a run without waiting for it."""
    if stream:
        raise BadRequest(
            "stream: was sent together with wait: false; leave one of them out, and follow a run "
            "in the background at GET /api/runs/{id}/events"
        )


def accepted(started: StartedRun) -> JSONResponse:
    """Return the response of a route that starts a run without waiting for it."""
    body, address = started.model_dump(mode="json"), address_of(started.run_id)
    return JSONResponse(body, status_code=202, headers={"location": address})


def address_of(run_id: str) -> str:
    """Return the address of a run."""
    return f"/api/runs/{run_id}"
