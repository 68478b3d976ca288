"""Detects deployments that somebody pauses or resumes in Prefect, which emits no event for it.

All deployments of a pool are read repeatedly, less often the more there are.
"""

from __future__ import annotations

import asyncio
import logging

from promptops_flows.engine.deployments import Deployments
from promptops_flows.engine.due_flow_runs import DueFlowRuns
from promptops_flows.engine.logs import log
from promptops_flows.engine.prefect_gate import PREFECT_ERRORS, PrefectGate
from promptops_flows.protocol.deployment_messages import DeploymentPaused

_PERIOD_SECONDS = 5.0
# Prefect's server needs about 2 ms of CPU time per deployment.
_SECONDS_EACH = 0.1


class PauseWatch:
    """Reports each change until the platform has updated the deployment."""

    def __init__(self, deployments: Deployments, due: DueFlowRuns, gate: PrefectGate) -> None:
        self._deployments = deployments
        self._due = due
        self._gate = gate

    async def watch(self) -> None:
        """Watch until cancelled."""
        count = 0
        while True:
            await asyncio.sleep(max(_PERIOD_SECONDS, count * _SECONDS_EACH))
            await self._gate.opened()
            try:
                count = await self._poll()
            # ValueError: an invalid response.
            except (*PREFECT_ERRORS, ValueError) as error:
                log(logging.WARNING, "pauses.failed", error=type(error).__name__)
                self._gate.suspect()

    async def _poll(self) -> int:
        count = 0
        for work_pool in self._due.pools:
            existing = await self._deployments.read_in_turn(work_pool)
            count += len(existing)
            for owner, row in existing.items():
                if row.is_paused != row.was_paused_by_platform:
                    self._due.paused(work_pool, DeploymentPaused(owner, row.is_paused))
        return count
