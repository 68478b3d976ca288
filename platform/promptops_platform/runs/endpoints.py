"""Routes of the run log."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.http.envelope import Data, Page
from promptops_platform.http.paging import DEFAULT_PAGE, Limit, Offset
from promptops_platform.http.transactions import Read
from promptops_platform.runs.schemas import Run, RunDetail, RunStats, RunStatus
from promptops_platform.runs.service import RunLog
from promptops_platform.text import ResourceId

router = APIRouter(prefix="/api/runs", tags=["runs"])


def _service(request: Request) -> RunLog:
    service: RunLog = request.app.state.runs
    return service


Service = Annotated[RunLog, Depends(_service)]


@router.get("")
async def list_runs(
    service: Service,
    transaction: Read,
    limit: Limit = DEFAULT_PAGE,
    offset: Offset = 0,
    status: Annotated[
        RunStatus | None, Query(description="Without it, the runs that have ended.")
    ] = None,
    actor: Actor = permits(Permission.RUNS_READ),
) -> Page[Run]:
    """Runs, newest first."""
    rows, total = await service.page(
        transaction, actor=actor, status=status, limit=limit, offset=offset
    )
    return Page(data=[Run.of(row) for row in rows], total=total)


@router.get("/stats")
async def run_stats(
    service: Service, transaction: Read, actor: Actor = permits(Permission.RUNS_READ)
) -> RunStats:
    """Totals over the runs that have ended."""
    return await service.stats(transaction, actor=actor)


@router.get("/{run_id}")
async def get_run(
    run_id: ResourceId,
    service: Service,
    transaction: Read,
    actor: Actor = permits(Permission.RUNS_READ),
) -> Data[RunDetail]:
    """A run with its output and its finished steps."""
    row = await service.get(transaction, run_id, actor=actor)
    return Data(data=RunDetail.with_steps(row, await service.steps(transaction, run_id)))
