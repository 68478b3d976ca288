"""Offers flow runs that become due in work pools to the platforms that execute them.

A cheap query twice a second checks whether any flow run is due. Only then the flow runs are
requested from Prefect's work-pool API, which respects the pauses and limits of pools and queues,
but writes to all deployments of the pool each time. It is also called once in a while when nothing
is due, so that Prefect shows the deployments as ready.
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
# After this time a flow run is offered again unless the platform has answered or begun the run.
_AGAIN_SECONDS = 10.0
_TAKEN_SECONDS = 60.0
_MOST = 200

Notify = Callable[[DueEvent], None]


@dataclass(slots=True)
class _Pool:
    """The platforms that take the flow runs of a pool, and the time of the pool's last
    heartbeat."""

    takers: dict[Notify, str] = field(default_factory=dict)
    heartbeat_at: float = float("-inf")
    exists: bool = False


class DueFlowRuns:
    """A pool is watched only while a platform takes its flow runs."""

    def __init__(self, api: PrefectApi, pools: WorkPools, gate: PrefectGate) -> None:
        self._api = api
        self._pools = pools
        self._gate = gate
        self._answers = FlowRunAnswers(api)
        self._watched_pools: defaultdict[str, _Pool] = defaultdict(_Pool)
        # When each flow run may be offered again, by the loop's clock.
        self._offered: dict[str, float] = {}

    @contextmanager
    def taking(self, asked: TakeDue, notify: Notify) -> Iterator[None]:
        """Inside, `notify` is called with what becomes due in that pool."""
        pool = self._watched_pools[asked.work_pool]
        pool.takers[notify] = asked.worker
        pool.heartbeat_at = float("-inf")
        # Offers that the previous connection left unanswered are made again.
        self._offered.clear()
        if self._gate.reason is None:
            notify(PrefectReady())
        try:
            yield
        finally:
            del pool.takers[notify]

    def paused(self, work_pool: str, pressed: DeploymentPaused) -> None:
        """Notify the platforms that somebody has paused or resumed a deployment in Prefect."""
        self._notify(work_pool, pressed)

    def exists(self, work_pool: str) -> None:
        """The pool has deployments from now on."""
        self._watched_pools[work_pool].exists = True

    @property
    def pools(self) -> list[str]:
        """The pools that may have due flow runs."""
        return [name for name, pool in self._watched_pools.items() if pool.takers and pool.exists]

    async def answer(self, answer: FlowRunAnswer) -> None:
        """Carry out the platform's decision about a flow run."""
        now = asyncio.get_running_loop().time()
        if answer.outcome == "taken":
            self._offered[answer.flow_run_id] = now + _TAKEN_SECONDS
            return
        try:
            await self._answers.carry_out(answer)
        except PREFECT_ERRORS as error:
            # The flow run is offered again later.
            log(logging.WARNING, "due.answer_failed", error=type(error).__name__)
            self._gate.suspect()
        self._offered.pop(answer.flow_run_id, None)

    async def watch(self) -> None:
        """Offer due flow runs until cancelled."""
        while True:
            if self._gate.reason is not None:
                await self._gate.opened()
                self._notify_all(PrefectReady())
            for name in self.pools:
                try:
                    await self._poll(name, self._watched_pools[name])
                # ValueError: an invalid response.
                except (*PREFECT_ERRORS, ValueError) as error:
                    log(logging.WARNING, "due.failed", error=f"{type(error).__name__}: {error}")
                    self._gate.suspect()
            await asyncio.sleep(PERIOD_SECONDS)

    def _notify_all(self, event: DueEvent) -> None:
        for name in self._watched_pools:
            self._notify(name, event)

    def _notify(self, work_pool: str, event: DueEvent) -> None:
        for notify in list(self._watched_pools[work_pool].takers):
            notify(event)

    async def _poll(self, name: str, pool: _Pool) -> None:
        now = asyncio.get_running_loop().time()
        self._offered = {at: until for at, until in self._offered.items() if until > now}
        is_beat = now - pool.heartbeat_at >= HEARTBEAT_SECONDS
        if is_beat:
            await self._pools.ensure(name)
            for worker in set(pool.takers.values()):
                await self._pools.send_heartbeat(name, worker)
            pool.heartbeat_at = now
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
            return  # a deployment that no platform created
        due = FlowRunDue(
            flow_run_id=flow_run["id"],
            owner=owner,
            scheduled_at=_time(flow_run),
            automatic=bool(flow_run["auto_scheduled"]),
            waited=flow_run["state_name"] == WAITING,
            parameters=await self._sent(flow_run),
        )
        log(logging.INFO, "due.offered", flow_run_id=due.flow_run_id, deployment_kind=owner.kind)
        self._notify(name, due)

    async def _sent(self, flow_run: dict[str, Any]) -> dict[str, Any]:
        """The parameters that differ from those of the deployment."""
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
