"""Flow runs that exist in Prefect and are executed once more."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import ObjectNotFound
from prefect.states import Pending

from promptops_flows.engine.flow_run_answers import WAITING
from promptops_flows.engine.identity import EngineIdentity
from promptops_flows.engine.runs import RunRefusedError
from promptops_flows.engine.suspended_runs import untagged

GOES_ON = "Goes on after a decision"
_TAKEN_UP = "The run goes on where it was left"


class FlowRunMissingError(RunRefusedError):
    """Prefect does not have it."""


async def find_flow_run(client: PrefectClient, flow_run_id: str) -> FlowRun:
    """Raises `FlowRunMissingError`, and what Prefect's client raises."""
    try:
        return await client.read_flow_run(UUID(flow_run_id))
    except (ObjectNotFound, ValueError) as error:
        raise FlowRunMissingError(f"Prefect has no flow run {flow_run_id}") from error


async def adopt_flow_run(
    client: PrefectClient, identity: EngineIdentity, flow_run: FlowRun
) -> FlowRun:
    """Mark it as this engine's, and make it ready to be executed.

    Raises `RunRefusedError` for one that was cancelled, and what Prefect's client raises.
    """
    identity.adopt(flow_run.id)
    tags = identity.own(untagged(flow_run.tags))
    if set(tags) != set(flow_run.tags):
        await client.update_flow_run(flow_run.id, tags=tags)
        flow_run.tags = tags
    return await _begin_again(client, flow_run)


async def _begin_again(client: PrefectClient, flow_run: FlowRun) -> FlowRun:
    """Prefect takes no flow run up again that was under way, or has ended."""
    state = flow_run.state
    if state is None or state.is_pending():
        return flow_run
    # One that was put off would wait for its time.
    if state.is_scheduled() and state.name != WAITING:
        return flow_run
    if state.is_cancelled() or state.is_cancelling():
        raise RunRefusedError("Cancel was pressed in Prefect before the run began")
    message = GOES_ON if state.is_paused() else _TAKEN_UP
    pending: State[Any] = Pending(message=message)
    await client.set_flow_run_state(flow_run.id, pending, force=True)
    flow_run.state = pending
    return flow_run
