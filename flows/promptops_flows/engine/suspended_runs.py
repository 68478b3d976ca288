"""Flow runs that are suspended until a person has decided.

They have a tag, which outlives every engine: any engine that runs then notices if somebody cancels
or resumes one of them in Prefect.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Suspended

from promptops_flows.engine.logs import log
from promptops_flows.engine.printable import MESSAGE_CHARACTERS, printable

TAG = "waiting"
_NOT_RESUMED = "Resume was pressed in Prefect, where nobody can decide"
# How long the platform may stay silent: after that it doesn't have the run.
_PATIENCE_SECONDS = 30.0
_AGAIN_SECONDS = 10.0
_LEFT = [kind for kind in StateType if kind != StateType.PAUSED]


class SuspendedRuns:
    """`executes` returns whether this engine executes a flow run, `cancelled` is called with a
    suspended flow run that somebody has cancelled."""

    def __init__(
        self,
        client: PrefectClient,
        *,
        executes: Callable[[str], bool],
        cancelled: Callable[[str], None],
    ) -> None:
        self._client = client
        self._executes = executes
        self._cancelled = cancelled
        # By the ids of the states: when it was first seen, and when it was last reported.
        self._cancels: dict[UUID, tuple[float, float]] = {}

    async def poll(self, now: float) -> None:
        """Handle what somebody has done in Prefect; `now` is the loop's time."""
        flow_runs = [run for run in await self._left() if run.state is not None]
        states = {run.state.id for run in flow_runs if run.state is not None}
        self._cancels = {at: times for at, times in self._cancels.items() if at in states}
        for flow_run in flow_runs:
            state = flow_run.state
            if state is None or self._executes(str(flow_run.id)):
                continue
            if state.is_final() or state.is_cancelling():
                await self._report(flow_run, state, now)
            else:
                await self._suspend_again(flow_run)

    async def _left(self) -> list[FlowRun]:
        """Tagged flow runs that are no longer suspended."""
        filters = FlowRunFilter(
            tags=FlowRunFilterTags(all_=["promptops", TAG]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_LEFT)),
        )
        return await self._client.read_flow_runs(flow_run_filter=filters)

    async def _report(self, flow_run: FlowRun, state: State, now: float) -> None:
        since, reported_at = self._cancels.setdefault(state.id, (now, now - _AGAIN_SECONDS))
        if now - since >= _PATIENCE_SECONDS:
            await self._client.update_flow_run(flow_run.id, tags=untagged(flow_run.tags))
        elif now - reported_at >= _AGAIN_SECONDS:
            self._cancels[state.id] = since, now
            log(logging.INFO, "suspended.cancelled", flow_run_id=str(flow_run.id))
            self._cancelled(str(flow_run.id))

    async def _suspend_again(self, flow_run: FlowRun) -> None:
        try:
            states = await self._client.read_flow_run_states(flow_run.id)
            paused = [state for state in states if state.is_paused()]
            message = paused[-1].message if paused else None
            message = (message or "").partition(f"; {_NOT_RESUMED}")[0]
            state: State = Suspended(message=f"{message}; {_NOT_RESUMED}"[:MESSAGE_CHARACTERS])
            await self._client.set_flow_run_state(flow_run.id, state, force=True)
        except ObjectNotFound:
            return  # deleted in Prefect
        log(logging.INFO, "suspended.not_resumed", flow_run_id=str(flow_run.id))


def untagged(tags: list[str]) -> list[str]:
    """The tags without the one for suspended flow runs."""
    return [tag for tag in tags if tag != TAG]


async def tag_suspended(client: PrefectClient, flow_run: FlowRun) -> None:
    """Tag a flow run so that any engine watches it; raises the errors of Prefect's client."""
    if TAG not in flow_run.tags:
        await client.update_flow_run(flow_run.id, tags=[*flow_run.tags, TAG])


async def end_suspended(client: PrefectClient, flow_run_id: UUID, message: str) -> None:
    """Show the flow run as cancelled; raises the errors of Prefect's client."""
    try:
        flow_run = await client.read_flow_run(flow_run_id)
        if TAG in flow_run.tags:
            await client.update_flow_run(flow_run_id, tags=untagged(flow_run.tags))
        state: State = Cancelled(message=printable(message, MESSAGE_CHARACTERS))
        await client.set_flow_run_state(flow_run_id, state, force=True)
    except ObjectNotFound:
        return  # deleted in Prefect
