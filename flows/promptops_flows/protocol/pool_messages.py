"""Messages about runs that wait in a work pool, as `engine_protocol` has them."""

from __future__ import annotations

from dataclasses import dataclass

from promptops_flows.protocol.run_request import RunRequest


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Have Prefect offer a run to the workers of its pool, as the flow run that the request names
    where that still waits, or else as a new one. Harmless when repeated: of each `number` there is
    one flow run. `lost` is a flow run whose worker is gone."""

    run: RunRequest
    number: int = 1
    lost: str | None = None


@dataclass(frozen=True, slots=True)
class Enqueued:
    """Prefect has the run. It is `cancelled` where somebody has cancelled it there, and `is_over`
    where the flow run has ended otherwise before a worker had it, as when no container started."""

    flow_run_id: str
    flow_run_url: str | None
    cancelled: bool = False
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Have Prefect offer a run no longer, which `by` has cancelled. Harmless when repeated."""

    flow_run_id: str
    by: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    pass
