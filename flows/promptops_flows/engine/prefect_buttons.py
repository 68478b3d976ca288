"""Handles Cancel and Retry pressed in Prefect, which only change the state of a flow run there.

One query a second finds all flow runs of this engine in such a state, and another one checks
suspended flow runs. A query costs Prefect's server 3 ms; a subscription to its events costs as much
at four runs a second, and may lose some.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, StateType

from promptops_flows.engine.identity import EngineIdentity
from promptops_flows.engine.logs import log
from promptops_flows.engine.prefect_gate import PREFECT_ERRORS, PrefectGate
from promptops_flows.engine.restored_ends import NOT_RETRIED, restore_end
from promptops_flows.engine.retry_watchers import RetryWatchers
from promptops_flows.engine.suspended_runs import SuspendedRuns
from promptops_flows.protocol.engine_protocol import RetryPressed

PREFECT = "Prefect"
_PERIOD_SECONDS = 1.0
_AGAIN_SECONDS = 10.0
# How long a button may have no effect, because the run had ended or can't be retried, before the
# flow run's end is shown again.
CANCEL_PATIENCE_SECONDS = 5.0
RETRY_PATIENCE_SECONDS = 30.0
# Prefect's interface shows this name until the flow run is late.
RETRY_NAME = "AwaitingRetry"
_NOT_CANCELLED = "Cancel was pressed after the run had ended"


@dataclass(slots=True)
class _Press:
    """One button pressed, with times by the loop's clock."""

    since: float
    reported_at: float


class PrefectButtons:
    """`cancel` cancels the running run of that flow run and returns whether there is one;
    `executes` returns whether there is one; `watchers` retry runs. `suspended` are checked along
    with the buttons. A worker has neither `watchers` nor `suspended`: the platform's engine watches
    suspended runs for it, and whoever claims a flow run has its run retried."""

    def __init__(
        self,
        client: PrefectClient,
        gate: PrefectGate,
        identity: EngineIdentity,
        *,
        cancel: Callable[[str, str], bool],
        executes: Callable[[str], bool],
        watchers: RetryWatchers | None,
        suspended: SuspendedRuns | None,
        cancel_patience_seconds: float = CANCEL_PATIENCE_SECONDS,
        retry_patience_seconds: float = RETRY_PATIENCE_SECONDS,
    ) -> None:
        self._cancel_patience_seconds = cancel_patience_seconds
        self._retry_patience_seconds = retry_patience_seconds
        self._client = client
        self._gate = gate
        self._identity = identity
        self._cancel = cancel
        self._executes = executes
        self._watchers = watchers
        self._suspended = suspended
        # By the ids of the states; each press creates a new state.
        self._presses: dict[UUID, _Press] = {}

    async def watch(self) -> None:
        """Handle the buttons until cancelled."""
        while True:
            await self._gate.opened()
            try:
                await self._poll()
                if self._suspended is not None:
                    await self._suspended.poll(asyncio.get_running_loop().time())
            # ValueError: an invalid response.
            except (*PREFECT_ERRORS, ValueError) as error:
                log(logging.WARNING, "buttons.failed", error=type(error).__name__)
                self._gate.suspect()
            await asyncio.sleep(_PERIOD_SECONDS)

    async def _poll(self) -> None:
        pressed = {run.state.id: run for run in await self._pressed() if run.state is not None}
        self._presses = {at: press for at, press in self._presses.items() if at in pressed}
        now = asyncio.get_running_loop().time()
        for state_id, flow_run in pressed.items():
            press = self._presses.setdefault(state_id, _Press(now, -_AGAIN_SECONDS))
            if flow_run.state_type == StateType.CANCELLING:
                await self._cancel_pressed(flow_run, now - press.since)
            elif self._watchers is not None:
                await self._retry_pressed(flow_run, press, now, self._watchers)

    async def _pressed(self) -> list[FlowRun]:
        types = FlowRunFilterStateType(any_=[StateType.CANCELLING, StateType.SCHEDULED])
        filters = FlowRunFilter(
            tags=FlowRunFilterTags(all_=["promptops", self._identity.tag]),
            state=FlowRunFilterState(type=types),
        )
        return await self._client.read_flow_runs(flow_run_filter=filters)

    async def _cancel_pressed(self, flow_run: FlowRun, seconds: float) -> None:
        is_executed = self._cancel(str(flow_run.id), PREFECT)
        if not is_executed and seconds >= self._cancel_patience_seconds:
            await restore_end(self._client, flow_run, _NOT_CANCELLED)

    async def _retry_pressed(
        self, flow_run: FlowRun, press: _Press, now: float, watchers: RetryWatchers
    ) -> None:
        # A restarted run waits in the same state.
        flow_run_id = str(flow_run.id)
        if self._executes(flow_run_id):
            press.since = now
        elif (reason := watchers.take_refusal(flow_run_id)) is not None:
            await restore_end(self._client, flow_run, f"{NOT_RETRIED}: {reason}")
        elif not _is_retried(flow_run):
            press.since = now
        elif now - press.since >= self._retry_patience_seconds:
            await restore_end(self._client, flow_run, NOT_RETRIED)
        elif now - press.reported_at >= _AGAIN_SECONDS:
            press.reported_at = now
            log(logging.INFO, "buttons.retry", flow_run_id=flow_run_id)
            watchers.pressed(RetryPressed(flow_run_id))


def _is_retried(flow_run: FlowRun) -> bool:
    """Excludes a flow run of a deployment whose run is recorded and hasn't been sent to the engine:
    it waits in a state of the same type, but has neither begun nor ended."""
    assert flow_run.state is not None
    return flow_run.state.name == RETRY_NAME or flow_run.start_time is not None
