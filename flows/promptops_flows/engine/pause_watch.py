"""Deployments that somebody pauses or resumes in Prefect, which has no event for it.

All deployments of a pool are read again and again, the less often the more there are.
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
# Prefect's server takes about 2 ms of CPU for a deployment.
_SECONDS_EACH = 0.1


class PauseWatch:
    """Tells of each until the platform has put the deployment accordingly."""

    def __init__(self, deployments: Deployments, due: DueFlowRuns, gate: PrefectGate) -> None:
        self._deployments = deployments
        self._due = due
        self._gate = gate

    async def watch(self) -> None:
        """Look until cancelled."""
        count = 0
        while True:
            await asyncio.sleep(max(_PERIOD_SECONDS, count * _SECONDS_EACH))
            await self._gate.opened()
            try:
                count = await self._look()
            # ValueError: an answer that can't be read.
            except (*PREFECT_ERRORS, ValueError) as error:
                log(logging.WARNING, "pauses.failed", error=type(error).__name__)
                self._gate.suspect()

    async def _look(self) -> int:
        count = 0
        for work_pool in self._due.pools:
            held = await self._deployments.read_in_turn(work_pool)
            count += len(held)
            for owner, row in held.items():
                if row.is_paused != row.was_put_paused:
                    self._due.paused(work_pool, DeploymentPaused(owner, row.is_paused))
        return count
