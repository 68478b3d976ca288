"""Announces runs to the consoles at this replica and at the others."""

import asyncio
from collections.abc import Sequence

import structlog

from promptops_flows.processes.waiting import end_tasks
from promptops_platform.changes.schemas import Change
from promptops_platform.changes.signals import LONGEST_SIGNAL, Signals
from promptops_platform.realtime import messages
from promptops_platform.realtime.console_visibility import ConsoleVisibility
from promptops_platform.realtime.hub import Hub
from promptops_platform.runlog.event_signals import packed, unpacked
from promptops_platform.runlog.events import MANY, RunEvent, RunEvents

log = structlog.get_logger(__name__)

# After a first event, later ones are collected for this long.
GATHER_SECONDS = 0.25


class RunAnnouncer:
    """Announces runs outside of the change feed, because there are too many of them, and nobody
    resumes after a run."""

    def __init__(
        self, events: RunEvents, hub: Hub, visibility: ConsoleVisibility, signals: Signals
    ) -> None:
        self._events = events
        self._hub = hub
        self._visibility = visibility
        self._signals = signals
        self._task: asyncio.Task[None] | None = None
        signals.listen(self.receive)

    def start(self) -> None:
        """Start announcing."""
        self._task = asyncio.create_task(self._announce_forever(), name="run-events")

    async def stop(self) -> None:
        """Stop announcing."""
        await end_tasks(self._task)

    def receive(self, signal: str) -> None:
        """Announce to the consoles here what happened at another replica."""
        if events := unpacked(signal):
            self._announce(events)

    async def _announce_forever(self) -> None:
        while True:
            await self._events.happened.wait()
            await asyncio.sleep(GATHER_SECONDS)
            try:
                events = self._events.take()
                self._announce(events)
                if self._signals.have_receivers:
                    for text in packed(events, LONGEST_SIGNAL - len(self._signals.payload(""))):
                        self._signals.send(text)
            except Exception:
                log.exception("run_events_not_told")

    def _announce(self, events: Sequence[RunEvent]) -> None:
        frames = [(event, messages.run_event(event)) for event in events]
        for subscription, group in self._hub.groups():
            if not subscription.is_console:
                continue
            for event, frame in frames:
                if self._visibility.sees_run(subscription.actor, event.workspace_id, event.scope):
                    # A console that does not read learns later that there were runs.
                    unread = Change(MANY, "", event.workspace_id)
                    for watcher in group.legacy:
                        watcher.send(unread, frame)
