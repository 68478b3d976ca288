"""Checkpoints of a run's steps: those that it reuses, and those that it creates."""

from __future__ import annotations

import asyncio
from typing import Protocol

from promptops_flows.engine.runs import Emit
from promptops_flows.protocol.engine_protocol import StepCheckpoint
from promptops_flows.protocol.run_request import Checkpoint, RunRequest


class Checkpoints(Protocol):
    def find(self, index: int, name: str, step_type: str) -> Checkpoint | None:
        """The checkpoint of that step, if there is one; the step isn't executed then."""

    def add(self, checkpoint: Checkpoint) -> None:
        """Add the checkpoint of a completed step."""

    async def stored(self, index: int) -> None:
        """Return once the checkpoint is stored, so that dependent steps may begin."""


class RunCheckpoints:
    """The checkpoints of a durable run."""

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
    """For an inner run: the step around it has one checkpoint as a whole."""

    def find(self, index: int, name: str, step_type: str) -> Checkpoint | None:
        return None

    def add(self, checkpoint: Checkpoint) -> None:
        pass

    async def stored(self, index: int) -> None:
        pass
