"""The log on a flow run's page in Prefect: a link to the run in PromptOps, a line for each step,
and the result. It contains none of the run's texts.

The lines of all runs are sent together, about once a second, and no run waits for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import LogCreate
from prefect.client.schemas.objects import State

from promptops_flows.engine.logs import log
from promptops_flows.engine.prefect_gate import PREFECT_ERRORS, PrefectGate
from promptops_flows.engine.printable import MESSAGE_CHARACTERS, printable
from promptops_flows.engine.runs import Emit
from promptops_flows.processes.waiting import end_tasks, happens_within
from promptops_flows.protocol.engine_protocol import RunEvent, StepFinished
from promptops_flows.protocol.run_request import RunRequest

_LOGGER = "promptops"
_PERIOD_SECONDS = 1.0
_LINES_AT_ONCE = 500
# The limit while Prefect is away; the oldest lines are dropped.
_MOST_LINES = 20_000
_LEVELS = {"Failed": logging.ERROR, "TimedOut": logging.ERROR, "Crashed": logging.ERROR}


class RunPages:
    """Sends the lines of all runs."""

    def __init__(self, client: PrefectClient, gate: PrefectGate) -> None:
        self._client = client
        self._gate = gate
        self._lines: deque[LogCreate] = deque(maxlen=_MOST_LINES)
        self._sending: asyncio.Task[None] | None = None
        self._settling = asyncio.Event()

    def add(self, flow_run_id: UUID, level: int, message: str) -> None:
        line = LogCreate(
            name=_LOGGER,
            level=level,
            message=printable(message, MESSAGE_CHARACTERS),
            timestamp=datetime.now(UTC),
            flow_run_id=flow_run_id,
        )
        self._lines.append(line)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())

    def add_end(self, flow_run_id: UUID, state: State[Any]) -> None:
        """Add a line with the flow run's end."""
        name, message = state.name or state.type.value, state.message or ""
        line = message if name.lower() in message.lower() else f"{name}: {message}"
        self.add(flow_run_id, _level(name), line)

    async def settle(self, seconds: float) -> None:
        """Wait briefly for the lines that Prefect doesn't have yet."""
        self._settling.set()
        sending = self._sending
        if sending is not None:
            await asyncio.wait([sending], timeout=seconds)
            await end_tasks(sending)

    async def _send_all(self) -> None:
        try:
            await happens_within(self._settling, _PERIOD_SECONDS)
            while self._lines:
                await self._gate.opened()
                await self._send()
        finally:
            self._sending = None

    async def _send(self) -> None:
        lines = [self._lines.popleft() for _ in range(min(len(self._lines), _LINES_AT_ONCE))]
        try:
            await self._client.create_logs(lines)
        except PREFECT_ERRORS as error:
            log(logging.WARNING, "run_pages.failed", error=type(error).__name__, lines=len(lines))
            if isinstance(error, httpx.HTTPStatusError) and error.response.is_client_error:
                # Prefect would reject them again each time.
                return
            # A line may then appear twice, which is better than a missing line.
            self._lines.extendleft(reversed(lines[: _MOST_LINES - len(self._lines)]))
            self._gate.suspect()
            await asyncio.sleep(_PERIOD_SECONDS)


class RunPage:
    """The lines of one run."""

    def __init__(self, pages: RunPages, request: RunRequest) -> None:
        self._pages = pages
        self._request = request
        self._flow_run_id: UUID | None = None

    def reading(self, emit: Emit) -> Emit:
        """Wrap `emit` so that the page gets a line for each finished step."""

        def emit_and_add(event: RunEvent) -> None:
            emit(event)
            if isinstance(event, StepFinished):
                self._add_step(event)

        return emit_and_add

    def began(self, flow_run_id: UUID) -> None:
        """The run is executed as that flow run from now on."""
        self._flow_run_id = flow_run_id
        request = self._request
        self._add(logging.INFO, f"Run {run_location(request)}")

    def ended(self, state: State[Any]) -> None:
        """Add the end state."""
        if self._flow_run_id is not None:
            self._pages.add_end(self._flow_run_id, state)

    def _add_step(self, step: StepFinished) -> None:
        name = self._request.texts.stored(step.name or step.type, step.public_name)
        line = f"Step {step.index} ({name}): {step.state}, {step.duration_ms / 1000:.2f} s"
        if step.attempts > 1:
            line += f", {step.attempts} attempts"
        if step.items is not None:
            line += f", {step.items.completed} of {step.items.total} items"
        self._add(_level(step.state), f"{line}, reused" if step.reused else line)

    def _add(self, level: int, message: str) -> None:
        if self._flow_run_id is not None:
            self._pages.add(self._flow_run_id, level, message)


def run_location(request: RunRequest) -> str:
    """A sentence with the run's id and its address in the console."""
    return f"{request.run_id}: {request.page_url}" if request.page_url else request.run_id


def _level(state_name: str) -> int:
    return _LEVELS.get(state_name, logging.INFO)
