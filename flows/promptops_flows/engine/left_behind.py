"""Ends runs and steps that a killed engine left behind, which Prefect would show as running for
ever.

The next engine of the same identity ends them once the previous process is gone: an engine whose
platform was killed takes some seconds to let its runs end.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from pathlib import Path
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import (
    TERMINAL_STATES,
    FlowRun,
    State,
    StateType,
    TaskRun,
)
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed

from promptops_flows.engine.identity import EngineIdentity
from promptops_flows.engine.logs import log
from promptops_flows.engine.prefect_gate import PREFECT_ERRORS, PrefectGate

MESSAGE = "The run engine ended before it reported the end of this run"
STEP_MESSAGE = "The run engine ended before it reported the end of this step"
# The states in which a task run may have been left.
_UNDER_WAY = [StateType.PENDING, StateType.RUNNING, StateType.SCHEDULED]
_PAGE = 100
_LOCK_PERIOD_SECONDS = 0.5
_PAUSE_SECONDS = 5.0
# Prefect writes task runs up to some seconds after they were reported.
_LOOKS = 3
_LOOK_SECONDS = 2.0


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
        """Set them to Crashed, once the previous engine is gone and Prefect is available."""
        while True:
            try:
                await self._predecessor_gone()
                await self._gate.opened()
                await self._end_flow_runs()
                await self._end_task_runs()
            # ValueError: an invalid response.
            except (*PREFECT_ERRORS, ValueError) as error:
                log(logging.WARNING, "left_behind.failed", error=f"{type(error).__name__}: {error}")
                self._gate.suspect()
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return

    async def _predecessor_gone(self) -> None:
        # Never closed: the lock lasts as long as this process, and its successor waits for it.
        if self._descriptor is None:
            self._descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                await asyncio.sleep(_LOCK_PERIOD_SECONDS)
            else:
                return

    async def _end_flow_runs(self) -> None:
        while flow_runs := [run for run in await self._oldest() if not self._identity.runs(run)]:
            for flow_run in flow_runs:
                await self._end_flow_run(flow_run)

    async def _oldest(self) -> list[FlowRun]:
        """The first page; it has the oldest ones, so that runs of this process come last."""
        unfinished = FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING])
        filters = FlowRunFilter(tags=self._tags, state=FlowRunFilterState(type=unfinished))
        return await self._client.read_flow_runs(
            flow_run_filter=filters, sort=FlowRunSort.EXPECTED_START_TIME_ASC, limit=_PAGE
        )

    async def _end_flow_run(self, flow_run: FlowRun) -> None:
        if self._identity.runs(flow_run):
            return  # adopted since the page was read
        try:
            await self._client.set_flow_run_state(flow_run.id, Crashed(message=MESSAGE), force=True)
        except ObjectNotFound:
            return  # deleted in Prefect
        log(logging.WARNING, "left_behind.ended", flow_run_id=str(flow_run.id), name=flow_run.name)

    async def _end_task_runs(self) -> None:
        """End the task runs of flow runs that have ended, until several queries in a row return
        none."""
        looks = 0
        while looks < _LOOKS:
            task_runs = await self._task_runs()
            looks = 0 if task_runs else looks + 1
            for task_run in task_runs:
                await self._end_task_run(task_run)
            if not task_runs:
                await asyncio.sleep(_LOOK_SECONDS)

    async def _task_runs(self) -> list[TaskRun]:
        """A page of running task runs of earlier flow runs. Steps of this process's own runs may
        look like them for a moment after the run's end."""
        ended = FlowRunFilterStateType(any_=sorted(TERMINAL_STATES))
        under_way = TaskRunFilterStateType(any_=_UNDER_WAY)
        before = FlowRunFilterExpectedStartTime(before_=self._identity.started_at)
        return await self._client.read_task_runs(
            flow_run_filter=FlowRunFilter(
                tags=self._tags,
                state=FlowRunFilterState(type=ended),
                expected_start_time=before,
            ),
            task_run_filter=TaskRunFilter(state=TaskRunFilterState(type=under_way)),
            limit=_PAGE,
        )

    async def _end_task_run(self, task_run: TaskRun) -> None:
        state: State[Any] = Crashed(message=STEP_MESSAGE)
        await self._client.set_task_run_state(task_run.id, state, force=True)
        log(logging.WARNING, "left_behind.step_ended", task_run_id=str(task_run.id))

    @property
    def _tags(self) -> FlowRunFilterTags:
        return FlowRunFilterTags(all_=["promptops", self._identity.tag])
