"""Steps of a run that survive its end: those that it reuses, and those that it has completed."""

from __future__ import annotations

import asyncio
from typing import Protocol

from promptops_flows.engine.runs import Emit
from promptops_flows.protocol.engine_protocol import StepCheckpoint
from promptops_flows.protocol.run_request import Checkpoint, RunRequest


class Checkpoints(Protocol):
    def find(self, index: int, name: str, step_type: str) -> Checkpoint | None:
        """The one of that step, which need not be executed then."""

    def add(self, checkpoint: Checkpoint) -> None:
        """A step has been completed."""

    async def stored(self, index: int) -> None:
        """Return once what depends on that step may begin."""


class RunCheckpoints:
    """Those of a run that the platform asked for."""

    def __init__(self, request: RunRequest, emit: Emit) -> None:
        self._reusable = {checkpoint.index: checkpoint for checkpoint in request.checkpoints}
        self._is_durable = request.durable
        self._emit = emit
        self._unstored: dict[int, asyncio.Event] = {}

    def find(self, index: int, name: str, step_type: str) -> Checkpoint | None:
        checkpoint = self._reusable.get(index)
        if checkpoint is None or (checkpoint.name, checkpoint.type) != (name, step_type):
            return None
        return checkpoint

    def add(self, checkpoint: Checkpoint) -> None:
        if self._is_durable:
            self._unstored[checkpoint.index] = asyncio.Event()
        self._emit(StepCheckpoint(checkpoint))

    async def stored(self, index: int) -> None:
        unstored = self._unstored.get(index)
        if unstored is not None:
            await unstored.wait()

    def mark_stored(self, index: int) -> None:
        """The platform has stored the checkpoint of that step."""
        if unstored := self._unstored.pop(index, None):
            unstored.set()


class NoCheckpoints:
    """Those of a run inside of a step, which has one as a whole."""

    def find(self, index: int, name: str, step_type: str) -> Checkpoint | None:
        return None

    def add(self, checkpoint: Checkpoint) -> None:
        pass

    async def stored(self, index: int) -> None:
        pass
