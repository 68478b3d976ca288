"""Requests and responses of workers."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints

from promptops_platform.execution.pool_names import PoolName
from promptops_platform.field_types import Line
from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example

WorkerId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]

_ID = "7e9a3f2a1c0f3c5d7e9a3f2a1c0f3c5d"
_RUN_ID = "5e4f30219b8a7c6d"
_WORKER: dict[str, Any] = {
    "id": _ID,
    "name": "gpu-1",
    "pool": "gpu",
    "version": "0.6.0",
    "concurrency": 16,
}


class WorkerHello(BaseModel):
    """What a worker reports about itself. Its id is new at each start."""

    model_config = example(**_WORKER)

    id: WorkerId
    name: Annotated[Line, Field(max_length=200)]
    pool: PoolName
    version: Annotated[Line, Field(max_length=64)]
    concurrency: int = Field(ge=1, le=10_000)


class PrefectAccess(BaseModel):
    """How a worker reaches Prefect."""

    model_config = example(api_url="http://127.0.0.1:4200/api", auth="admin:secret")

    api_url: str
    auth: str | None = Field(repr=False, description="`user:password`.")


class Registered(BaseModel):
    """The worker is registered."""

    model_config = example(prefect={"api_url": "http://127.0.0.1:4200/api", "auth": "admin:secret"})

    prefect: PrefectAccess | None = Field(
        description="Null if the platform does not know how its workers reach Prefect."
    )


class RunningRun(BaseModel):
    """A run that a worker executes."""

    model_config = example(run_id=_RUN_ID, attempt=1)

    run_id: Line
    attempt: int = Field(ge=1)


class Heartbeat(WorkerHello):
    """A worker is alive and executes these runs."""

    model_config = example(**_WORKER, running=[{"run_id": _RUN_ID, "attempt": 1}])

    running: list[RunningRun] = Field(max_length=10_000)


class WorkerRunState(BaseModel):
    """What a worker has to do with a run."""

    model_config = example(run_id=_RUN_ID, attempt=1, is_lost=False, cancelled_by="ada")

    run_id: str
    attempt: int
    is_lost: bool = Field(description="It belongs to another worker or has ended: stop it.")
    cancelled_by: str | None = Field(description="Who wants it to end.")


class HeartbeatAnswer(BaseModel):
    """The runs that the worker has to do something about."""

    model_config = example(
        runs=[{"run_id": _RUN_ID, "attempt": 1, "is_lost": False, "cancelled_by": "ada"}]
    )

    runs: list[WorkerRunState]


class WorkerName(BaseModel):
    """The worker that sends the request."""

    model_config = example(worker=_ID)

    worker: WorkerId


class Claim(WorkerName):
    """The worker that claims a run."""

    model_config = example(worker=_ID, is_retry=False)

    is_retry: bool = Field(
        default=False, description="Whether somebody has pressed Retry for the flow run in Prefect."
    )


class RunOfWorker(WorkerName):
    """A run that the worker executes, with its attempt."""

    model_config = example(worker=_ID, attempt=1)

    attempt: int = Field(ge=1)


class RunReport(RunOfWorker):
    """Events of a run in order. They are numbered from 1; `first` is the number of the first one
    here. The platform ignores events that it already has."""

    model_config = example(worker=_ID, attempt=1, first=1, events=['{"kind":"began"}\n'])

    first: int = Field(ge=1)
    events: list[str] = Field(
        min_length=1, max_length=1000, description="Lines of the protocol of the run engine."
    )


class ReportAnswer(BaseModel):
    """Everything that was reported is stored."""

    model_config = example(cancelled_by=None)

    cancelled_by: str | None = Field(description="Who wants the run to end.")


class ClaimedRun(BaseModel):
    """A run that now belongs to the worker."""

    model_config = example(run_id=_RUN_ID, attempt=1, run='{"kind":"run"}\n')

    run_id: str
    attempt: int = Field(description="Counts from 1.")
    run: str = Field(
        repr=False, description="Plan, variables, connections and checkpoints, as one line."
    )


class Worker(Resource):
    """A worker that was seen recently."""

    model_config = example(
        **_WORKER,
        running=3,
        is_online=True,
        started_at="2026-03-14T09:26:53.589793Z",
        seen_at="2026-03-14T09:41:02.120396Z",
    )

    id: str
    name: str
    pool: str
    version: str
    concurrency: int
    running: int = Field(description="Runs that it executed when it was last seen.")
    is_online: bool = Field(description="False once its runs may go to other workers.")
    started_at: datetime
    seen_at: datetime
