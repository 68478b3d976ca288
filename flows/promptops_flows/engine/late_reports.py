"""Ends of runs that Prefect has not taken yet: nobody waits for them, and none is forgotten."""

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

T = TypeVar("T")

_PAUSE_SECONDS = 1.0


class LateReports:
    """Tells Prefect how runs ended that it still takes for running ones."""

    def __init__(self, client: PrefectClient, gate: PrefectGate) -> None:
        self._client = client
        self._gate = gate
        self._tasks: set[asyncio.Task[Any]] = set()

    def keep(self, task: asyncio.Task[T]) -> asyncio.Task[T]:
        """A task that ends with a report of its own."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def add(self, flow_run_id: UUID, state: State[Any], fields: Mapping[str, object]) -> None:
        """Report that state as soon as Prefect takes it; `fields` are for the log."""
        self.keep(asyncio.create_task(self._report(flow_run_id, state, fields)))

    async def settle(self, seconds: float) -> None:
        """Give Prefect a moment for what it has not taken yet."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def _report(
        self, flow_run_id: UUID, state: State[Any], fields: Mapping[str, object]
    ) -> None:
        while True:
            await self._gate.opened()
            try:
                await self._client.set_flow_run_state(flow_run_id, state, force=True)
                log(logging.INFO, "run.reported_late", **fields, state=state.name)
            except PREFECT_ERRORS as error:
                if isinstance(error, ObjectNotFound):
                    return
                self._gate.suspect()
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return
