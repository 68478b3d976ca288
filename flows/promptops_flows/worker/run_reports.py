"""Sends the events of one run to the platform: in order, and each event once.

Events are numbered from 1. A batch is sent again, unchanged, until the platform has confirmed it;
by the number of its first event the platform recognizes what it already has.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from promptops_flows.engine.logs import log
from promptops_flows.processes.waiting import happens_within
from promptops_flows.protocol.engine_protocol import (
    RunEvent,
    RunFinished,
    StepCheckpoint,
    StepDelta,
    StepStarted,
    encode,
)
from promptops_flows.protocol.suspension_messages import RunSuspended
from promptops_flows.worker.platform_client import (
    ClaimedRun,
    PlatformClient,
    PlatformUnavailable,
    RunLost,
    WorkerRefused,
)

# How long events that only show progress are collected.
_GATHER_SECONDS = 0.25
_MOST_EVENTS = 200
_MOST_CHARACTERS = 1_000_000
# Beyond this limit, models' texts are dropped while the platform is away: they only show progress,
# and are stored with their step. Everything else is limited, since a run waits until its
# checkpoints are stored.
_MOST_WAITING_CHARACTERS = 1_000_000
_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ReportListeners:
    """Called when a checkpoint is stored, when somebody cancels the run, and when it is no longer
    this worker's."""

    stored: Callable[[int], None]
    cancelled: Callable[[str], None]
    lost: Callable[[str], None]


class RunReports:
    """`send_all` returns once the platform has received the run's end or suspension, or the run is
    lost."""

    def __init__(self, client: PlatformClient, run: ClaimedRun, listeners: ReportListeners) -> None:
        self._client = client
        self._run_id = run.request.run_id
        self._attempt = run.attempt
        self._listeners = listeners
        self._waiting: deque[RunEvent] = deque()
        self._characters = 0
        self._sent = 0
        self._has_some = asyncio.Event()
        self._is_urgent = asyncio.Event()

    def add(self, event: RunEvent) -> None:
        """Never waits."""
        if isinstance(event, StepDelta):
            if self._characters > _MOST_WAITING_CHARACTERS:
                return
            self._characters += len(event.text)
            last = self._waiting[-1] if self._waiting else None
            if isinstance(last, StepDelta) and (last.index, last.attempt) == (
                event.index,
                event.attempt,
            ):
                self._waiting[-1] = replace(last, text=last.text + event.text)
                return
        self._waiting.append(event)
        self._has_some.set()
        if not isinstance(event, StepDelta | StepStarted):
            self._is_urgent.set()

    def stop(self) -> None:
        """Stop sending."""
        self._waiting.clear()
        self._waiting.append(RunFinished("error"))
        self._sent = -1
        self._has_some.set()
        self._is_urgent.set()

    async def send_all(self) -> None:
        """Retries while the platform is away."""
        while True:
            await self._has_some.wait()
            await happens_within(self._is_urgent, _GATHER_SECONDS)
            if self._sent < 0:
                return
            batch = self._next_batch()
            if not await self._send(batch) or isinstance(batch[-1], RunFinished | RunSuspended):
                return

    def _next_batch(self) -> list[RunEvent]:
        batch: list[RunEvent] = []
        characters = 0
        while self._waiting and len(batch) < _MOST_EVENTS and characters < _MOST_CHARACTERS:
            event = self._waiting.popleft()
            batch.append(event)
            if isinstance(event, StepDelta):
                self._characters -= len(event.text)
            characters += _size(event)
        if not self._waiting:
            self._has_some.clear()
            self._is_urgent.clear()
        return batch

    async def _send(self, batch: list[RunEvent]) -> bool:
        """Whether the platform has received the batch and the run continues."""
        lines = [encode(event).decode("ascii") for event in batch]
        pause = _PAUSE_SECONDS
        while self._sent >= 0:
            try:
                by = await self._client.report(self._run_id, self._attempt, self._sent + 1, lines)
            except PlatformUnavailable as error:
                log(logging.WARNING, "worker.report_waits", run_id=self._run_id, reason=str(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            except (RunLost, WorkerRefused) as error:
                self._listeners.lost(str(error))
                return False
            else:
                self._sent += len(batch)
                self._notify(batch, by)
                return True
        return False

    def _notify(self, batch: list[RunEvent], cancelled_by: str | None) -> None:
        for event in batch:
            if isinstance(event, StepCheckpoint):
                self._listeners.stored(event.checkpoint.index)
        if cancelled_by is not None:
            self._listeners.cancelled(cancelled_by)


def _size(event: RunEvent) -> int:
    if isinstance(event, StepCheckpoint):
        return len(event.checkpoint.output.text)
    texts = (getattr(event, name, None) for name in ("text", "input", "output"))
    return sum(len(text) for text in texts if text)
