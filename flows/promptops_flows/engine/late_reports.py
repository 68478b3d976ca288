"""Reports the ends of runs to Prefect in the background, until Prefect has stored them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound

from promptops_flows.engine.logs import log
from promptops_flows.engine.prefect_gate import PREFECT_ERRORS, PrefectGate
from promptops_flows.engine.suspended_runs import tag_suspended

T = TypeVar("T")

_PAUSE_SECONDS = 1.0


class LateReports:
    """Reports the end states of runs that Prefect still shows as running."""

    def __init__(self, client: PrefectClient, gate: PrefectGate) -> None:
        self._client = client
        self._gate = gate
        self._tasks: set[asyncio.Task[Any]] = set()
        self._late: dict[UUID, asyncio.Task[None]] = {}

    def keep(self, task: asyncio.Task[T]) -> asyncio.Task[T]:
        """Keep a reference to a task that reports by itself."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def add(
        self,
        flow_run_id: UUID,
        state: State[Any],
        fields: Mapping[str, object],
        *,
        is_shown: bool = False,
    ) -> None:
        """Report that state as soon as Prefect is available, and tag a suspended flow run; `fields`
        are for the log. `is_shown` says that Prefect has the state already."""
        self.drop(flow_run_id)
        reporting = self._report(flow_run_id, state, fields, is_shown=is_shown)
        self._late[flow_run_id] = self.keep(asyncio.create_task(reporting))

    def drop(self, flow_run_id: UUID) -> None:
        """Stop reporting for that flow run, which is executed again."""
        task = self._late.pop(flow_run_id, None)
        if task is not None:
            task.cancel()

    async def settle_one(self, flow_run_id: UUID, seconds: float) -> None:
        """Wait briefly for the report of one flow run."""
        task = self._late.get(flow_run_id)
        if task is not None:
            await asyncio.wait([task], timeout=seconds)

    async def settle(self, seconds: float) -> None:
        """Wait briefly for all reports that Prefect hasn't stored yet."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def _report(
        self,
        flow_run_id: UUID,
        state: State[Any],
        fields: Mapping[str, object],
        *,
        is_shown: bool,
    ) -> None:
        while True:
            await self._gate.opened()
            try:
                if not is_shown:
                    await self._client.set_flow_run_state(flow_run_id, state, force=True)
                if state.is_paused():
                    flow_run = await self._client.read_flow_run(flow_run_id)
                    await tag_suspended(self._client, flow_run)
                if not is_shown:
                    log(logging.INFO, "run.reported_late", **fields, state=state.name)
            except PREFECT_ERRORS as error:
                if isinstance(error, ObjectNotFound):
                    return
                self._gate.suspect()
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                self._late.pop(flow_run_id, None)
                return
