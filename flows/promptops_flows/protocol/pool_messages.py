"""Messages about runs that wait in a work pool, see `engine_protocol`."""

from __future__ import annotations

from dataclasses import dataclass

from promptops_flows.protocol.run_request import RunRequest


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Put a run into its work pool, as the flow run that the request names if that still waits,
    otherwise as a new one. Idempotent: there is one flow run per `number`. `lost` is a flow run
    whose worker is gone."""

    run: RunRequest
    number: int = 1
    lost: str | None = None


@dataclass(frozen=True, slots=True)
class Enqueued:
    """The run is in Prefect. It is `cancelled` if somebody cancelled it there, and `is_over` if the
    flow run ended in another way before a worker had it, for example because no container
    started."""

    flow_run_id: str
    flow_run_url: str | None
    cancelled: bool = False
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Remove a run that `by` has cancelled from its work pool. Idempotent."""

    flow_run_id: str
    by: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    pass
