"""Flow runs of work pools that become due, offered to the platforms that take them.

Twice a second one cheap query asks whether there is any. Only then Prefect's work-pool API is asked
for them, which obeys pauses and limits of pools and queues, but writes to all deployments of the
pool each time; once in a while it is asked without need, so that Prefect shows them as ready.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from promptops_flows.engine.deployment_shape import owner_in
from promptops_flows.engine.flow_run_answers import WAITING, FlowRunAnswers
from promptops_flows.engine.logs import log
from promptops_flows.engine.prefect_api import PrefectApi, is_missing
from promptops_flows.engine.prefect_gate import PREFECT_ERRORS, PrefectGate
from promptops_flows.engine.prefect_schedules import as_text
from promptops_flows.engine.work_pools import HEARTBEAT_SECONDS, WorkPools
from promptops_flows.protocol.deployment_messages import (
    DeploymentPaused,
    DueEvent,
    FlowRunAnswer,
    FlowRunDue,
    PrefectReady,
    TakeDue,
)

PERIOD_SECONDS = 0.5
# A platform that has not answered meanwhile, or has not begun the run, is told once more.
_AGAIN_SECONDS = 10.0
_TAKEN_SECONDS = 60.0
_MOST = 200

Tell = Callable[[DueEvent], None]


@dataclass(slots=True)
class _Pool:
    """Who takes the flow runs of a pool, and when it was last shown to be alive."""

    takers: dict[Tell, str] = field(default_factory=dict)
    beaten_at: float = float("-inf")
    exists: bool = False


class DueFlowRuns:
    """Pools count only while somebody takes their flow runs."""

    def __init__(self, api: PrefectApi, pools: WorkPools, gate: PrefectGate) -> None:
        self._api = api
        self._pools = pools
        self._gate = gate
        self._answers = FlowRunAnswers(api)
        self._taken: defaultdict[str, _Pool] = defaultdict(_Pool)
        # Until when flow runs are not offered again, by the loop's clock.
        self._offered: dict[str, float] = {}

    @contextmanager
    def taking(self, asked: TakeDue, tell: Tell) -> Iterator[None]:
        """Inside, `tell` gets what becomes due in that pool."""
        pool = self._taken[asked.work_pool]
        pool.takers[tell] = asked.worker
        pool.beaten_at = float("-inf")
        # Nobody has answered what this platform was offered before.
        self._offered.clear()
        if self._gate.reason is None:
            tell(PrefectReady())
        try:
            yield
        finally:
            del pool.takers[tell]

    def paused(self, work_pool: str, pressed: DeploymentPaused) -> None:
        """Tell that somebody has paused or resumed a deployment in Prefect."""
        self._tell(work_pool, pressed)

    def exists(self, work_pool: str) -> None:
        """The pool has deployments from now on."""
        self._taken[work_pool].exists = True

    @property
    def pools(self) -> list[str]:
        """Those in which something may become due."""
        return [name for name, pool in self._taken.items() if pool.takers and pool.exists]

    async def answer(self, answer: FlowRunAnswer) -> None:
        """Do what a platform has said about a flow run."""
        now = asyncio.get_running_loop().time()
        if answer.outcome == "taken":
            self._offered[answer.flow_run_id] = now + _TAKEN_SECONDS
            return
        try:
            await self._answers.carry_out(answer)
        except PREFECT_ERRORS as error:
            # It is offered and answered again.
            log(logging.WARNING, "due.answer_failed", error=type(error).__name__)
            self._gate.suspect()
        self._offered.pop(answer.flow_run_id, None)

    async def watch(self) -> None:
        """Offer what is due until cancelled."""
        while True:
            if self._gate.reason is not None:
                await self._gate.opened()
                self._tell_all(PrefectReady())
            for name in self.pools:
                try:
                    await self._look(name, self._taken[name])
                # ValueError: an answer that can't be read.
                except (*PREFECT_ERRORS, ValueError) as error:
                    log(logging.WARNING, "due.failed", error=f"{type(error).__name__}: {error}")
                    self._gate.suspect()
            await asyncio.sleep(PERIOD_SECONDS)

    def _tell_all(self, event: DueEvent) -> None:
        for name in self._taken:
            self._tell(name, event)

    def _tell(self, work_pool: str, event: DueEvent) -> None:
        for tell in list(self._taken[work_pool].takers):
            tell(event)

    async def _look(self, name: str, pool: _Pool) -> None:
        now = asyncio.get_running_loop().time()
        self._offered = {at: until for at, until in self._offered.items() if until > now}
        is_beat = now - pool.beaten_at >= HEARTBEAT_SECONDS
        if is_beat:
            await self._pools.ensure(name)
            for worker in set(pool.takers.values()):
                await self._pools.beat(name, worker)
            pool.beaten_at = now
        if not is_beat and not await self._is_any_due(name):
            return
        for flow_run in await self._pools.due(name, _now(), _MOST):
            if flow_run["id"] not in self._offered:
                await self._offer(name, flow_run, now)

    async def _is_any_due(self, name: str) -> bool:
        filters = {
            "flow_runs": {
                "state": {"type": {"any_": ["SCHEDULED"]}},
                "next_scheduled_start_time": {"before_": _now()},
            },
            "work_pools": {"name": {"any_": [name]}},
            "limit": _MOST,
        }
        rows = await self._api.post("/flow_runs/filter", filters)
        return any(row["id"] not in self._offered for row in rows)

    async def _offer(self, name: str, flow_run: dict[str, Any], now: float) -> None:
        self._offered[flow_run["id"]] = now + _AGAIN_SECONDS
        owner = owner_in(flow_run)
        if owner is None:
            return  # of a deployment that somebody else has put into the pool
        due = FlowRunDue(
            flow_run_id=flow_run["id"],
            owner=owner,
            scheduled_at=_time(flow_run),
            automatic=bool(flow_run["auto_scheduled"]),
            waited=flow_run["state_name"] == WAITING,
            parameters=await self._sent(flow_run),
        )
        log(logging.INFO, "due.offered", flow_run_id=due.flow_run_id, deployment_kind=owner.kind)
        self._tell(name, due)

    async def _sent(self, flow_run: dict[str, Any]) -> dict[str, Any]:
        """The parameters that are not simply those of the deployment."""
        parameters: dict[str, Any] = flow_run["parameters"]
        if flow_run["auto_scheduled"] or not parameters:
            return {}
        try:
            deployment = await self._api.get(f"/deployments/{flow_run['deployment_id']}")
        except httpx.HTTPStatusError as error:
            if not is_missing(error):
                raise
            return parameters
        own = deployment["parameters"]
        missing = object()
        return {
            name: value for name, value in parameters.items() if own.get(name, missing) != value
        }


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _time(flow_run: dict[str, Any]) -> str:
    time = flow_run["expected_start_time"] or flow_run["next_scheduled_start_time"]
    return as_text(datetime.fromisoformat(time))
