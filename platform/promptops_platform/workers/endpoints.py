"""Routes for workers, and the list of workers."""

from typing import Annotated

from fastapi import APIRouter

from promptops_flows.protocol.engine_protocol import encode
from promptops_platform.access.actor import Actor
from promptops_platform.access.guard import permits
from promptops_platform.access.permissions import Permission
from promptops_platform.access.schemas import Done
from promptops_platform.errors import Conflict
from promptops_platform.field_types import ResourceId
from promptops_platform.http.declared_errors import may_answer
from promptops_platform.http.envelope import Data
from promptops_platform.http.services import provided
from promptops_platform.http.transactions import Read, Write
from promptops_platform.workers.claims import RunClaims
from promptops_platform.workers.reports import WorkerReports
from promptops_platform.workers.schemas import (
    Claim,
    ClaimedRun,
    Heartbeat,
    HeartbeatAnswer,
    Registered,
    ReportAnswer,
    RunOfWorker,
    RunReport,
    Worker,
    WorkerHello,
    WorkerName,
)
from promptops_platform.workers.service import WorkerService

router = APIRouter(tags=["workers"])
PREFIX = "/api/worker"

Workers = Annotated[WorkerService, provided(WorkerService)]
Claims = Annotated[RunClaims, provided(RunClaims)]


@router.get("/api/workers")
async def list_workers(
    workers: Workers, transaction: Read, _actor: Actor = permits(Permission.SYSTEM_READ)
) -> Data[list[Worker]]:
    """List the workers that were seen in the last ten minutes, by pool and name."""
    return Data(data=await workers.list_workers(transaction))


@router.post(f"{PREFIX}/register", responses=may_answer(Conflict))
async def register_worker(
    body: WorkerHello,
    workers: Workers,
    transaction: Write,
    actor: Actor = permits(Permission.WORKER_RUN),
) -> Registered:
    """Register a worker, and return how it reaches Prefect."""
    return Registered(prefect=await workers.register(transaction, body, actor=actor))


@router.post(f"{PREFIX}/heartbeat", summary="Report Heartbeat", responses=may_answer(Conflict))
async def note_heartbeat(
    body: Heartbeat,
    workers: Workers,
    transaction: Write,
    actor: Actor = permits(Permission.WORKER_RUN),
) -> HeartbeatAnswer:
    """Report that a worker is alive. The response says what to do with its runs."""
    return HeartbeatAnswer(runs=await workers.heartbeat(transaction, body, actor=actor))


@router.post(f"{PREFIX}/leave", summary="Remove Worker", responses=may_answer(Conflict))
async def leave(
    body: WorkerName,
    workers: Workers,
    transaction: Write,
    actor: Actor = permits(Permission.WORKER_RUN),
) -> Done:
    """Report that a worker stops. Its remaining runs go to other workers."""
    await workers.leave(transaction, body.worker, actor=actor)
    return Done()


@router.post(f"{PREFIX}/runs/{{flow_run_id}}/claim", responses=may_answer(Conflict))
async def claim_run(
    flow_run_id: ResourceId,
    body: Claim,
    claims: Claims,
    actor: Actor = permits(Permission.WORKER_RUN),
) -> ClaimedRun:
    """Claim a run of the worker's pool. The response is a 409 if another worker was faster."""
    attempt, run = await claims.claim(body.worker, flow_run_id, is_retry=body.is_retry, actor=actor)
    return ClaimedRun(run_id=run.run_id, attempt=attempt, run=encode(run).decode("ascii"))


@router.post(
    f"{PREFIX}/runs/{{run_id}}/events", summary="Report Run Events", responses=may_answer(Conflict)
)
async def report_events(
    run_id: ResourceId,
    body: RunReport,
    reports: Annotated[WorkerReports, provided(WorkerReports)],
    actor: Actor = permits(Permission.WORKER_RUN),
) -> ReportAnswer:
    """Record the events of a run. The response is a 409 if the run no longer belongs to the
    worker."""
    return ReportAnswer(cancelled_by=await reports.report(run_id, body, actor=actor))


@router.post(f"{PREFIX}/runs/{{run_id}}/return", responses=may_answer(Conflict))
async def return_run(
    run_id: ResourceId,
    body: RunOfWorker,
    claims: Claims,
    actor: Actor = permits(Permission.WORKER_RUN),
) -> Done:
    """Hand a run over to another worker, which continues it."""
    await claims.hand_back(body.worker, run_id, body.attempt, actor=actor)
    return Done()
