"""Prepares flow runs that exist in Prefect to be executed again."""

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

CONTINUES = "Continues after a decision"
_ADOPTED = "The run continues where it stopped"


class FlowRunMissingError(RunRefusedError):
    """The flow run doesn't exist in Prefect."""


async def find_flow_run(client: PrefectClient, flow_run_id: str) -> FlowRun:
    """Raises `FlowRunMissingError`, and the errors of Prefect's client."""
    try:
        return await client.read_flow_run(UUID(flow_run_id))
    except (ObjectNotFound, ValueError) as error:
        raise FlowRunMissingError(f"Prefect has no flow run {flow_run_id}") from error


async def adopt_flow_run(
    client: PrefectClient, identity: EngineIdentity, flow_run: FlowRun
) -> FlowRun:
    """Mark the flow run as this engine's, and make it ready to be executed.

    Raises `RunRefusedError` if it was cancelled, and the errors of Prefect's client.
    """
    identity.adopt(flow_run.id)
    tags = identity.own(untagged(flow_run.tags))
    if set(tags) != set(flow_run.tags):
        await client.update_flow_run(flow_run.id, tags=tags)
        flow_run.tags = tags
    return await _begin_again(client, flow_run)


async def _begin_again(client: PrefectClient, flow_run: FlowRun) -> FlowRun:
    """Reset the state of a flow run that was running or has ended; Prefect would not execute it
    again otherwise."""
    state = flow_run.state
    if state is None or state.is_pending():
        return flow_run
    # A rescheduled flow run would wait until its scheduled time.
    if state.is_scheduled() and state.name != WAITING:
        return flow_run
    if state.is_cancelled() or state.is_cancelling():
        raise RunRefusedError("Cancel was pressed in Prefect before the run began")
    message = CONTINUES if state.is_paused() else _ADOPTED
    pending: State[Any] = Pending(message=message)
    await client.set_flow_run_state(flow_run.id, pending, force=True)
    flow_run.state = pending
    return flow_run
