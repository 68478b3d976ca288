"""The order between replicas, for clients that can't request a revision."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import structlog

from promptops_flows.processes.waiting import end_tasks
from promptops_platform.changes.replicas import Replicas
from promptops_platform.changes.schemas import NumberedChange

log = structlog.get_logger(__name__)

# The limit of an event's wait for a replica that is alive but makes no progress.
LONGEST_WAIT_SECONDS = 1.0

Deliver = Callable[[Sequence[NumberedChange]], Awaitable[None]]


class ReplicaOrder:
    """Delays changes until every replica serves them, so that any replica that responds to the
    fetch after an event has at least that state."""

    def __init__(self, replicas: Replicas, deliver: Deliver) -> None:
        self._replicas = replicas
        self._deliver = deliver
        self._held: deque[tuple[Sequence[NumberedChange], float]] = deque()
        self._filled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._release_forever(), name="replica-order")

    async def stop(self) -> None:
        await end_tasks(self._task)

    async def submit(self, changes: Sequence[NumberedChange]) -> None:
        """Take changes; they are delivered immediately if no replica has to be waited for."""
        if not self._held and not self._replicas.others:
            await self._deliver(changes)
            return
        self._held.append((changes, time.monotonic() + LONGEST_WAIT_SECONDS))
        self._filled.set()

    async def _release_forever(self) -> None:
        while True:
            await self._filled.wait()
            while self._held:
                changes, deadline = self._held[0]
                await self._replicas.wait_for(changes[-1].revision, deadline - time.monotonic())
                try:
                    await self._deliver(changes)
                except Exception:
                    log.exception("events_not_delivered")
                self._held.popleft()
            self._filled.clear()
