"""Runs that a killed engine left behind, which Prefect would show as running for good.

The next engine of the same identity ends them, once its predecessor is gone: one whose platform
was killed still lets its runs end, and takes seconds for that.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from pathlib import Path

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed

from promptops_flows.engine.identity import EngineIdentity
from promptops_flows.engine.logs import log
from promptops_flows.engine.prefect_gate import PREFECT_ERRORS, PrefectGate

MESSAGE = "The run engine ended before it reported the end of this run"
_PAGE = 100
_LOCK_PERIOD_SECONDS = 0.5
_PAUSE_SECONDS = 5.0


class LeftBehind:
    """`lock` is a file that all engines of this identity share."""

    def __init__(
        self, client: PrefectClient, gate: PrefectGate, identity: EngineIdentity, lock: Path
    ) -> None:
        self._client = client
        self._gate = gate
        self._identity = identity
        self._lock = lock
        self._descriptor: int | None = None

    async def end(self) -> None:
        """Set them to Crashed, however long the predecessor and Prefect keep it waiting."""
        while True:
            try:
                await self._predecessor_gone()
                await self._gate.opened()
                await self._end_all()
            # ValueError: an answer that can't be read.
            except (*PREFECT_ERRORS, ValueError) as error:
                log(logging.WARNING, "left_behind.failed", error=f"{type(error).__name__}: {error}")
                self._gate.suspect()
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return

    async def _predecessor_gone(self) -> None:
        # Never closed: the lock tells the successor until when this process lives.
        if self._descriptor is None:
            self._descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                await asyncio.sleep(_LOCK_PERIOD_SECONDS)
            else:
                return

    async def _end_all(self) -> None:
        while found := [run for run in await self._oldest() if not self._identity.runs(run)]:
            for flow_run in found:
                await self._end(flow_run)

    async def _oldest(self) -> list[FlowRun]:
        """The first page; runs of this process come after all that were left behind."""
        unfinished = FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING])
        wanted = FlowRunFilter(
            tags=FlowRunFilterTags(all_=["promptops", self._identity.tag]),
            state=FlowRunFilterState(type=unfinished),
        )
        return await self._client.read_flow_runs(
            flow_run_filter=wanted, sort=FlowRunSort.EXPECTED_START_TIME_ASC, limit=_PAGE
        )

    async def _end(self, flow_run: FlowRun) -> None:
        try:
            await self._client.set_flow_run_state(flow_run.id, Crashed(message=MESSAGE), force=True)
        except ObjectNotFound:
            return  # somebody removed it meanwhile
        log(logging.WARNING, "left_behind.ended", flow_run_id=str(flow_run.id), name=flow_run.name)
